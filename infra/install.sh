#!/usr/bin/env bash
# Makes the CPU environment with the test tools: infra/install.sh VENV
#
# A rerun does nothing while pyproject.toml and constraints.txt are unchanged; otherwise the folder is made anew,
# so that nothing of an earlier or interrupted installation survives. PYTHON names another interpreter than python3.
set -euo pipefail

die() {
    echo "install: $*" >&2
    exit 1
}

[[ $# -eq 1 ]] || die "$# arguments given: say where the environment goes, as in: infra/install.sh .venv"
venv=$(realpath -m "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3}

# The stamp names the folders too: an environment that was copied or moved points to its old place.
stamp=$venv/.pubray-installed
state=$(printf '%s\n' "$PWD" "$venv"; sha256sum pyproject.toml constraints.txt)
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock" # two runs at once, such as `make demo` beside `make test`: the second waits
flock 9
[[ -x $venv/bin/pubray && -f $stamp && $(<"$stamp") == "$state" ]] && exit 0

[[ $(uname -sm) == "Linux x86_64" ]] || die "this is $(uname -sm): only Linux x86_64 has all the wheels, use one"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    die "$python is $("$python" --version 2>/dev/null || echo missing): set PYTHON to a Python of at least 3.11"
"$python" -m pip --version >/dev/null 2>&1 ||
    die "$python has no pip: install it (on Debian: apt-get install python3-pip) or set PYTHON to one that has it"
[[ ! -e $venv || -f $venv/pyvenv.cfg || -z $(ls -A "$venv") ]] ||
    die "$venv exists and is no virtual environment: name another folder, or remove it"

# pip_setting NAME: what pip is configured with, in the environment or in a file.
pip_setting() {
    local variable=PIP_${1^^}
    variable=${variable//-/_}
    echo "${!variable:-$("$python" -m pip config get "global.$1" 2>/dev/null || true)}"
}

# The folders where pip looks for wheels that hold a CPU build of torch for this Python, comma-separated as uv has it.
tag=$("$python" -c 'import sys; print("cp{}{}".format(*sys.version_info))')
local_torch=
for folder in $(pip_setting find-links); do
    if compgen -G "${folder#file://}/torch-2.13*+cpu-$tag-*.whl" >/dev/null; then
        local_torch=${local_torch:+$local_torch,}$folder
    fi
done

hint="set PIP_FIND_LINKS to a folder with torch-2.13.0+cpu-$tag-….whl"

# install_with_uv UV: without a local wheel, uv itself knows where CPU builds of torch are.
install_with_uv() {
    local index source=(--torch-backend cpu)
    [[ -z $local_torch ]] || source=(--find-links "$local_torch")
    index=$(pip_setting index-url)
    [[ -z $index ]] || export UV_DEFAULT_INDEX=$index
    "$1" pip install --quiet --python "$venv/bin/python" "${source[@]}" --constraints constraints.txt \
        -e '.[cpu,test,train]' || die "uv failed, see above: where it cannot reach the CPU builds of torch, $hint"
}

install_with_pip() {
    [[ -n $local_torch ]] ||
        die "no uv, and pip alone would take gigabytes of CUDA with torch: install uv, or $hint"
    "$python" -m pip --python "$venv/bin/python" install -qq --constraint constraints.txt pip
    "$venv/bin/python" -m pip install -qq --no-compile --constraint constraints.txt -e '.[cpu,test,train]'
}

echo "install: about 600 MB of packages to download, once, and 2 GB on disk, in $venv"
started=$SECONDS
# Without its own pip, because some distributions leave out ensurepip; the installation brings pip as a dependency.
"$python" -m venv --clear --without-pip "$venv"
if uv --version >/dev/null 2>&1; then
    install_with_uv uv
elif "$python" -m pip --python "$venv/bin/python" install -qq uv 2>/dev/null; then
    install_with_uv "$venv/bin/uv"
else
    echo "install: uv cannot be had here, so pip does it, which takes longer"
    install_with_pip
fi
echo "$state" >"$stamp"
echo "install: done in $((SECONDS - started)) s"
