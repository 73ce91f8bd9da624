"""Makes in an AWS account what ray_cluster.yaml takes for granted; what is there already is put right.

    python infra/aws/setup.py BUCKET [--region us-east-1] [--vpc vpc-…] [--oidc-provider ARN]

A bucket: private, without versions, which would keep what `gc` removes, and without uploads that nobody finishes. A
role for the nodes, which may read and write it; one for the head, which may start and stop the nodes too. A security
group: what is in it reaches each other, and nothing else reaches it but SSH from this machine, by which `ray up` comes.
"""

import argparse
import json
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

HERE = Path(__file__).parent
OWN_ADDRESS = "https://checkip.amazonaws.com"
INSTANCES = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
ACCOUNTS = "system:serviceaccount:pubray:pubray*"
"""Of Kubernetes: those of infra/kuberay."""
LIFECYCLE = {
    "Rules": [
        {
            "ID": "uploads that nobody finishes",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
        }
    ]
}
PRIVATE = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
GROUP = "pubray"


def main() -> int:
    """Make all of it, and say what to fill in where."""
    parser = argparse.ArgumentParser(description="What ray_cluster.yaml takes for granted in an AWS account.")
    parser.add_argument("bucket")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--vpc", help="default: the default one")
    parser.add_argument("--oidc-provider", metavar="ARN", help="of a cluster of EKS, whose pods take the nodes' role")
    parser.add_argument("--ssh-from", metavar="CIDR", help="default: this machine's address, as AWS sees it")
    options = parser.parse_args()
    make_bucket(boto3.client("s3", options.region), options.bucket, options.region)
    iam = boto3.client("iam")
    node, head = (read_policy(f"{name}_policy.json", options.bucket) for name in ("node", "head"))
    make_profile(iam, "pubray-node", {"bucket": node}, trusted(options.oidc_provider))
    make_profile(iam, "pubray-head", {"bucket": node, "nodes": head}, trusted(None))
    # Without it no spot node starts; AWS says of one that is there that the input is invalid.
    with suppress(iam.exceptions.InvalidInputException, iam.exceptions.EntityAlreadyExistsException):
        iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    ssh_from = options.ssh_from or own_address()
    group = make_group(boto3.client("ec2", options.region), options.vpc, ssh_from)
    sys.stdout.write(
        f"infra/aws/node.env: PUBRAY_STORE=s3://{options.bucket}/pubray\n"
        f"ray_cluster.yaml: region: {options.region}\n"
        f"ray_cluster.yaml: SecurityGroupIds: &network [{group}]\n"
    )
    return 0


def make_bucket(s3: Any, bucket: str, region: str) -> None:
    """Make the bucket, and give it its settings."""
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **where)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(PRIVATE, True))
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=LIFECYCLE)
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled":
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def read_policy(file: str, bucket: str) -> dict[str, Any]:
    """Return a policy for this bucket."""
    policy: dict[str, Any] = json.loads((HERE / file).read_text().replace("BUCKET", bucket))
    return policy


def make_profile(iam: Any, name: str, policies: dict[str, dict[str, Any]], trust: dict[str, Any]) -> None:
    """Make a role with these policies for who is trusted, and the instance profile of its name."""
    there = iam.exceptions.EntityAlreadyExistsException
    with suppress(there):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    for policy, content in policies.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(content))
    with suppress(there):
        iam.create_instance_profile(InstanceProfileName=name)
    with suppress(iam.exceptions.LimitExceededException):  # it has its one role
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def trusted(oidc_provider: str | None) -> dict[str, Any]:
    """Return who may take a role: instances, and in a cluster of EKS, by its provider's ARN, pods of infra/kuberay."""
    statements: list[dict[str, Any]] = [INSTANCES]
    if oidc_provider:
        issuer = oidc_provider.partition(":oidc-provider/")[2]
        statements.append(
            {
                "Effect": "Allow",
                "Principal": {"Federated": oidc_provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"},
                    "StringLike": {f"{issuer}:sub": ACCOUNTS},
                },
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def make_group(ec2: Any, vpc: str | None, ssh_from: str) -> str:
    """Make the security group, and open it to what is in it and to SSH from there; return its id."""
    if vpc is None:
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    wanted = [{"Name": "group-name", "Values": [GROUP]}, {"Name": "vpc-id", "Values": [vpc]}]
    found = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
    made = found[0] if found else ec2.create_security_group(GroupName=GROUP, Description="pubray nodes", VpcId=vpc)
    group: str = made["GroupId"]
    rules = (
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ssh_from}]},
    )
    for rule in rules:
        try:
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidPermission.Duplicate":
                raise
    return group


def own_address() -> str:
    """Return the address of this machine, as AWS sees it."""
    with urllib.request.urlopen(OWN_ADDRESS, timeout=10) as answer:
        return f"{answer.read().decode().strip()}/32"


if __name__ == "__main__":
    sys.exit(main())
