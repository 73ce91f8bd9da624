#!/usr/bin/env bash
# Builds the cpu image without a registry, on a Debian that mmdebstrap makes: tests/support/image/build.sh FOLDER COMMIT
#
# Root alone can. Indexes, wheels and certificates are those of pip on this machine. FOLDER/buildah runs buildah with
# what was built: localhost/pubray.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
folder=$1 commit=$2

cat >"$folder/buildah" <<RUN
#!/bin/sh
exec buildah --root $folder/images --runroot $folder/run --storage-driver overlay "\$@"
RUN
chmod +x "$folder/buildah"

mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$folder/base.tar"
base=$("$folder/buildah" from scratch)
"$folder/buildah" add --quiet "$base" "$folder/base.tar" /
"$folder/buildah" commit --quiet --rm "$base" localhost/base
rm "$folder/base.tar"

# pip_setting NAME: what pip is configured with, in the environment or in a file.
pip_setting() {
    local variable=PIP_${1^^}
    variable=${variable//-/_}
    echo "${!variable:-$(python3 -m pip config get "global.$1" 2>/dev/null || true)}"
}

options=(--build-arg BASE=localhost/base --build-arg "COMMIT=$commit")
index=$(pip_setting index-url) certificates=$(pip_setting cert) wheels=$(pip_setting find-links)
[[ -z $index ]] || options+=(--build-arg "PIP_INDEX_URL=$index" --build-arg "UV_DEFAULT_INDEX=$index")
[[ -z $certificates ]] || options+=(
    --volume "$certificates:/certificates.pem:ro"
    --build-arg PIP_CERT=/certificates.pem --build-arg SSL_CERT_FILE=/certificates.pem
)
if compgen -G "$wheels/torch-2.13*+cpu-*.whl" >/dev/null; then
    options+=(--volume "$wheels:$wheels:ro" --build-arg "UV_FIND_LINKS=$wheels" --build-arg CPU_BACKEND=)
fi
"$folder/buildah" bud --quiet --isolation chroot --network host --target cpu --tag localhost/pubray "${options[@]}" .
