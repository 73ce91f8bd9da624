#!/usr/bin/env bash
# Two hosts on this machine, and on them Ray as `ray up` starts it over SSH: infra/local-cluster/cluster.sh up|cut|mend|down
#
# A host is a network, processes, a name and a /tmp/ray of its own; what it writes into root's home or into the cache
# it alone sees. It comes nowhere but to this machine: what is fetched from elsewhere has to be in the cache before.
# Both see this checkout and its environment, as hosts of one image do; the store has to be a bucket, of a server that
# they reach at 10.77.0.1, and what AWS_… says here they are told too. `cut` takes the second host off the network, `mend`
# puts it back. By root alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
checkout=$(cd ../.. && pwd)
state=/run/pubray-cluster # cluster.yaml names it too
cache=${PUBRAY_CACHE:-$HOME/.cache/pubray}
home=~root                # of whom SSH logs in, whatever HOME says under sudo
export PATH=$checkout/.venv/bin:$PATH RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$state/token

hosts_up() {
    ip link add pubray0 type bridge
    ip address add 10.77.0.1/24 dev pubray0
    ip link set pubray0 up
    for host in 1 2; do
        ip netns add "pubray-$host"
        ip link add "pubray-$host" type veth peer name eth0 netns "pubray-$host"
        ip link set "pubray-$host" master pubray0 up
        ip -n "pubray-$host" address add "10.77.0.1$host/24" dev eth0
        ip -n "pubray-$host" link set lo up
        ip -n "pubray-$host" link set eth0 up
        ip -n "pubray-$host" route add default via 10.77.0.1
        mkdir -p "$state/host" /tmp/ray
        setsid ip netns exec "pubray-$host" unshare --uts --mount --pid --fork --kill-child --mount-proc bash -c "
            hostname pubray-$host
            mount -t tmpfs tmpfs /tmp/ray
            mount -t tmpfs tmpfs $state/host
            mkdir $state/host/{cache,cached,written,work,work2}
            mount -t overlay overlay -o lowerdir=$home,upperdir=$state/host/written,workdir=$state/host/work $home
            mount -t overlay overlay -o lowerdir=$cache,upperdir=$state/host/cached,workdir=$state/host/work2 $state/host/cache
            exec $(command -v sshd) -D -f /dev/null -h $state/key -o AuthorizedKeysFile=$state/key.pub -o StrictModes=no \
                -o PidFile=none -o UsePAM=no
        " &>"$state/host-$host.log" </dev/null &
        echo $! >"$state/host-$host.pid"
    done
}

up() {
    for program in sshd rsync ip; do
        command -v "$program" >/dev/null || refuse "no $program; on Debian: apt install openssh-server rsync iproute2"
    done
    [[ ! -e $state ]] || refuse "it is up, or was not ended; end it: infra/local-cluster/cluster.sh down"
    mkdir -p "$cache"
    mkdir -m 700 "$state"
    ssh-keygen -q -t ed25519 -N '' -f "$state/key"
    head -c 32 /dev/urandom | sha256sum | head -c 64 >"$state/token"
    {
        grep '^RAY_' ../aws/node.env
        echo "RAY_AUTH_TOKEN_PATH=$state/token PUBRAY_CACHE=$state/host/cache PATH='$PATH'"
        env | grep '^AWS_' || true
    } >"$state/node.env"
    mkdir -p /run/sshd # where sshd goes with who has no rights yet
    hosts_up
    # The second autoscaler, which clouds have, starts no nodes of this provider (Ray 2.60).
    RAY_UP_enable_autoscaler_v2=0 ray up --yes --no-config-cache cluster.yaml
    echo "cluster.sh: it is up; a night on it:
RAY_ADDRESS=http://10.77.0.11:8265 RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$state/token infra/run-night -- --source …"
}

down() {
    ray down --yes cluster.yaml || true
    for host in 1 2; do
        [[ ! -e $state/host-$host.pid ]] || kill -KILL -- "-$(<"$state/host-$host.pid")" || true
        ip link delete "pubray-$host" || true # at once: its network goes when the last process of the host has
        ip netns delete "pubray-$host" || true
    done
    ip link delete pubray0 || true
    rm -rf "$state"
}

refuse() {
    echo "cluster.sh: $1" >&2
    exit 2
}

[[ $EUID -eq 0 ]] || refuse "only root can make hosts"
case ${1:-} in
up) up ;;
cut) ip link set pubray-2 down ;;
mend) ip link set pubray-2 up ;;
down) down ;;
*) refuse "say up, cut, mend or down" ;;
esac
