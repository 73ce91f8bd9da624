#!/usr/bin/env bash
# Makes the environment of the client libraries that tests ask the service with: infra/install_clients.sh VENV
#
# It is VENV-clients, and made by the pip of VENV. A rerun does nothing while what it is made from is unchanged.
set -euo pipefail

[[ $# -eq 1 ]] || { echo "install_clients: $# arguments given: say which environment has pip, as in: .venv" >&2; exit 1; }
venv=$(realpath -m "$1")
clients=$venv-clients
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stamp=$clients/.pubray-installed
state=$(printf '%s\n' "$PWD" "$clients"; sha256sum pyproject.toml constraints-clients.txt)
exec 9>"$clients.lock"
flock 9
[[ -f $stamp && $(<"$stamp") == "$state" ]] && exit 0

echo "install_clients: about 200 MB of packages to download, once, and 500 MB on disk, in $clients"
"$venv/bin/python" -m venv --clear --without-pip "$clients"
"$venv/bin/python" -m pip --python "$clients/bin/python" install -qq --no-compile --group clients \
    --constraint constraints-clients.txt
echo "$state" >"$stamp"
