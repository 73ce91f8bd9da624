#!/usr/bin/env bash
# Sees to it that there is a Chromium for the tests of the page: infra/install_browser.sh
#
# One that is there is used as it is. On Debian root installs its package; elsewhere the tests skip themselves.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done

skipped() {
    echo "install_browser: $1; the page's browser tests are skipped. Install Chromium, on Debian: apt-get install chromium fonts-liberation"
    exit 0
}

grep -qsx 'ID=debian' /etc/os-release || skipped "there is no Chromium, and this is not Debian"
[[ $EUID -eq 0 ]] || skipped "there is no Chromium, and only root can install its package"
echo "install_browser: about 100 MB of Debian packages to download, once"
packages=(--quiet --quiet --yes --no-install-recommends chromium fonts-liberation)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
{ apt-get update --quiet --quiet && apt-get install "${packages[@]}"; } >"$log" 2>&1 ||
    skipped "apt-get says: $(grep -m1 '^E:' "$log" || tail -n1 "$log")"
