#!/usr/bin/env bash
# A whole Ceph on loopback, in memory, with its S3 gateway: tests/support/s3/ceph_up.sh FOLDER ADDRESS
#
# One monitor, one OSD, one gateway; keys ak123456 and sk12345678. Root alone can run it. Whoever started it ends it, by
# the process ids in FOLDER/run.
set -euo pipefail

folder=$1 address=$2
mkdir -p "$folder"/{mon,osd,run,log,rgw}
fsid=$(cat /proc/sys/kernel/random/uuid)
cat >"$folder/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = 127.0.0.1:6789
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $folder/keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 4294967296
run dir = $folder/run
admin socket = $folder/run/\$cluster-\$name.\$pid.asok
log file = $folder/log/\$name.log
pid file = $folder/run/\$name.pid
crash dir = $folder/crash
setuser match path =
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 2000
osd pool default pg autoscale mode = off
[mon.a]
mon data = $folder/mon
mon addr = 127.0.0.1:6789
[osd.0]
osd data = $folder/osd
[client.rgw]
rgw frontends = beast endpoint=$address
rgw enable ops log = false
rgw data = $folder/rgw
rgw thread pool size = 32
# what is overwritten or removed would else be kept for two hours
rgw gc obj min wait = 1
rgw gc processor period = 2
CONF
export CEPH_CONF=$folder/ceph.conf

# until COMMAND…: try every half second, half a minute at most.
until_works() {
    for _ in $(seq 60); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.5
    done
    echo "ceph_up: $* does not work; $folder/log has why" >&2
    exit 1
}

all=(--cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *')
ceph-authtool --create-keyring "$folder/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
for name in client.admin client.rgw osd.0; do
    ceph-authtool "$folder/keyring" --gen-key -n $name "${all[@]}" >/dev/null
done
monmaptool --create --add a 127.0.0.1:6789 --fsid "$fsid" "$folder/monmap" >/dev/null
ceph-mon -i a --mkfs --monmap "$folder/monmap" --keyring "$folder/keyring"
ceph-mon -i a
until_works timeout 5 ceph -s
osd=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$osd" >/dev/null
ceph auth import -i "$folder/keyring" >/dev/null 2>&1
ceph-osd -i 0 --mkfs --osd-uuid "$osd" >/dev/null 2>&1
ceph-osd -i 0 >/dev/null 2>&1
until_works bash -c "ceph osd stat | grep -q '1 up'"
radosgw-admin user create --uid=t --display-name=t --access-key=ak123456 --secret-key=sk12345678 >/dev/null 2>&1
radosgw -n client.rgw
until_works curl -s -o /dev/null "http://$address/"
