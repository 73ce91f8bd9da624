#!/usr/bin/env bash
# Sees to it that there are the programs that some tests drive: infra/install_test_programs.sh
#
# One that is there is used as it is. On Debian root installs their packages; elsewhere those tests skip themselves.
set -euo pipefail

missing=()
command -v chromium chromium-browser google-chrome >/dev/null || missing+=(chromium fonts-liberation)
command -v prometheus >/dev/null || missing+=(prometheus)
[[ ${#missing[@]} -gt 0 ]] || exit 0

skipped() {
    echo "install_test_programs: $1; tests that need ${missing[*]} skip themselves"
    exit 0
}

grep -qsx 'ID=debian' /etc/os-release || skipped "this is not Debian"
[[ $EUID -eq 0 ]] || skipped "only root can install packages"
echo "install_test_programs: about 130 MB of Debian packages to download, once: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
{ apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
    skipped "apt-get says: $(grep -m1 '^E:' "$log" || tail -n1 "$log")"
