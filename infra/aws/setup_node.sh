#!/usr/bin/env bash
# Makes a node of ray_cluster.yaml ready: its fastest disk at /mnt/nvme, and the environment in ~/venv.
#
# A rerun does nothing that is done. FAISS stays on the CPU everywhere, since faiss-gpu would bring a second CUDA runtime
# beside torch's; uv takes the build of torch that fits the node.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The image mounts an instance's own disks by itself; where it does not, the first is formatted; else the root disk is it.
# An image that was made of a node has /mnt/nvme already, and nothing mounted there.
if mountpoint -q /opt/dlami/nvme; then
    [[ -e /mnt/nvme ]] || sudo ln -s /opt/dlami/nvme /mnt/nvme
elif ! mountpoint -q /mnt/nvme; then
    sudo mkdir -p /mnt/nvme
    disk=$(lsblk --noheadings --nodeps --output NAME,MODEL | awk '/Instance Storage/ {print $1; exit}')
    if [[ -n $disk ]]; then
        sudo mkfs.xfs -q -f "/dev/$disk"
        sudo mount -o noatime "/dev/$disk" /mnt/nvme
    fi
fi
sudo chown "$USER" /mnt/nvme/
mkdir -p /mnt/nvme/{pubray,ray,spilled,tmp}

stamp=$(sha256sum pyproject.toml constraints.txt)
[[ -f ~/venv/.pubray-installed && $(<~/venv/.pubray-installed) == "$stamp" ]] && exit 0
# At boot unattended upgrades hold the lock for minutes.
command -v uv >/dev/null || {
    sudo apt-get -o DPkg::Lock::Timeout=600 update -qq
    sudo apt-get -o DPkg::Lock::Timeout=600 install -y -qq python3-pip
    sudo python3 -m pip install -q --break-system-packages uv
}
# The Python that constraints.txt was resolved for.
uv venv -q --clear --python 3.11 ~/venv
uv pip install -q --python ~/venv/bin/python --torch-backend auto -c constraints.txt -e '.[cpu]'
echo "$stamp" >~/venv/.pubray-installed
