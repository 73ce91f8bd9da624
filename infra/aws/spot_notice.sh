#!/usr/bin/env bash
# Tells Ray when EC2 will take this spot node away, two minutes before: training saves its state, and no new work comes.
#
# ray_cluster.yaml starts it beside Ray on each worker node; a node on demand never gets a notice. It asks the metadata
# service (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html), whose address is
# AWS_EC2_METADATA_SERVICE_ENDPOINT. Arguments go to `ray drain-node`, which drains the node that it runs on.
set -euo pipefail
metadata=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}/latest

notice() { # prints the time at which the node goes; fails while there is no notice
    local token
    token=$(curl -sf -m 2 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$metadata/api/token")
    curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/spot/instance-action" |
        grep -oP '"time": *"\K[^"]+'
}

until goes=$(notice); do
    sleep 5
done
left=$(($(date -d "$goes" +%s) - $(date +%s)))
exec ray drain-node --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "EC2 takes the node away at $goes" \
    --deadline-remaining-seconds $((left > 0 ? left : 0)) "$@"
