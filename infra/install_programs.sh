#!/usr/bin/env bash
# Sees to it that there are programs that tests and benchmarks drive: infra/install_programs.sh chromium prometheus ceph wrk …
#
# One that is there is used as it is. On Debian root installs their packages; elsewhere what needs them says so.
set -euo pipefail

missing=()
for program in "$@"; do
    names=("$program") packages=("$program")
    [[ $program != chromium ]] || names+=(chromium-browser google-chrome) packages+=(fonts-liberation)
    [[ $program != sshd ]] || packages=(openssh-server)
    [[ $program != buildah ]] || packages+=(crun fuse-overlayfs)
    [[ $program != ceph ]] || names=(radosgw) packages=(ceph-mon ceph-mgr ceph-osd ceph-common radosgw)
    command -v "${names[@]}" >/dev/null || missing+=("${packages[@]}")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

left_out() {
    echo "install_programs: $1; what needs ${missing[*]} is left out" >&2
    exit 0
}

grep -qsx 'ID=debian' /etc/os-release || left_out "this is not Debian"
[[ $EUID -eq 0 ]] || left_out "only root can install packages"
echo "install_programs: Debian packages to download, once, up to 130 MB, of Ceph 290: ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
{ apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
    left_out "apt-get says: $(grep -m1 '^E:' "$log" || tail -n1 "$log")"
