"""infra/aws and ray_cluster.yaml in an account that moto makes up: what is made and allowed, which instances come."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count
from ray.autoscaler._private.providers import _get_node_provider
from ray.autoscaler._private.util import prepare_config
from ray.autoscaler.node_launch_exception import NodeLaunchException
from ray.autoscaler.tags import TAG_RAY_CLUSTER_NAME, TAG_RAY_NODE_KIND

from infra.aws import setup

CLUSTER_FILE = Path(__file__).parents[3] / "ray_cluster.yaml"
BUCKET, REGION, ADMIN = "pubray-bucket", "us-east-1", "192.0.2.1/32"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An account, in which set-up was run twice."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(sys, "argv", ["setup.py", BUCKET, "--region", REGION, "--ssh-from", ADMIN])
    with mock_aws():
        assert setup.main() == 0
        assert setup.main() == 0
        yield


def test_the_bucket_is_private_and_keeps_neither_versions_nor_unfinished_uploads(account: None) -> None:
    s3 = boto3.client("s3", REGION)
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=BUCKET).get("Status") != "Enabled"
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert (rule["Status"], rule["AbortIncompleteMultipartUpload"]) == ("Enabled", {"DaysAfterInitiation": 2})


def test_versions_that_somebody_turned_on_are_suspended(account: None) -> None:
    s3 = boto3.client("s3", REGION)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    setup.make_bucket(s3, BUCKET, REGION)
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Suspended"


def as_node(role: str) -> Callable[[str], Any]:
    """Return what gives clients with the rights of a role."""
    arn = boto3.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    found = boto3.client("sts", REGION).assume_role(RoleArn=arn, RoleSessionName="node")["Credentials"]
    keys = {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }
    return lambda service: boto3.client(service, REGION, **keys)


def refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "UnauthorizedOperation")
    return False


def test_a_node_reads_and_writes_the_bucket_and_may_do_nothing_else(account: None) -> None:
    boto3.client("s3", REGION).create_bucket(Bucket="another")
    client = as_node("pubray-node")

    @set_initial_no_auth_action_count(0)
    def ask() -> None:
        s3, ec2 = client("s3"), client("ec2")
        s3.put_object(Bucket=BUCKET, Key="pubray/CURRENT", Body=b"1")
        assert s3.get_object(Bucket=BUCKET, Key="pubray/CURRENT")["Body"].read() == b"1"
        assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key="pubray/big")["UploadId"]
        s3.abort_multipart_upload(Bucket=BUCKET, Key="pubray/big", UploadId=upload)
        s3.delete_object(Bucket=BUCKET, Key="pubray/CURRENT")
        assert refused(lambda: s3.put_object(Bucket="another", Key="x", Body=b""))
        assert refused(lambda: s3.delete_bucket(Bucket=BUCKET))
        assert refused(lambda: s3.put_bucket_policy(Bucket=BUCKET, Policy="{}"))
        assert refused(lambda: ec2.describe_instances())

    ask()


def bootstrapped() -> dict[str, Any]:
    """Return the file as `ray up` has it, with what set-up says filled in."""
    [group] = boto3.client("ec2", REGION).describe_security_groups(GroupNames=[setup.GROUP])["SecurityGroups"]
    text = CLUSTER_FILE.read_text()
    assert text.count("[sg-FILL-IN]") == 1
    config: dict[str, Any] = prepare_config(yaml.safe_load(text.replace("sg-FILL-IN", group["GroupId"])))
    found: dict[str, Any] = provider_of(config).bootstrap_config(config)
    return found


def test_instances_come_as_the_file_says(account: None) -> None:
    config = bootstrapped()
    provider = provider_of(config)
    ec2 = boto3.client("ec2", REGION)
    [group] = ec2.describe_security_groups(GroupNames=[setup.GROUP])["SecurityGroups"]
    profiles = {"head": "pubray-head"}
    for name, kind in config["available_node_types"].items():
        tags = {TAG_RAY_CLUSTER_NAME: config["cluster_name"], TAG_RAY_NODE_KIND: "worker"}
        [made] = provider.create_node(kind["node_config"], tags, 1).values()
        [instance] = ec2.describe_instances(InstanceIds=[made.id])["Reservations"][0]["Instances"]
        assert instance["IamInstanceProfile"]["Arn"].endswith(f"/{profiles.get(name, 'pubray-node')}")
        assert (instance.get("InstanceLifecycle") == "spot") == (name == "encode")
        assert [one["GroupId"] for one in instance["SecurityGroups"]] == [group["GroupId"]]
        assert {"Key": "project", "Value": "pubray"} in instance["Tags"]
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        volumes = [one["Ebs"]["VolumeId"] for one in instance["BlockDeviceMappings"]]
        assert head_may_make("instance", instance["Tags"])
        for volume in ec2.describe_volumes(VolumeIds=volumes)["Volumes"]:
            assert volume["Encrypted"]
            assert volume["Size"] == 150
            assert head_may_make("volume", volume["Tags"])


def provider_of(config: dict[str, Any]) -> Any:
    """Return the one that the autoscaler would start nodes with."""
    return _get_node_provider(config["provider"], config["cluster_name"], use_cache=False)


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "InvalidParameterValue"])
def test_on_demand_where_there_is_no_spot_instance(account: None, code: str) -> None:
    config = bootstrapped()
    provider = provider_of(config)

    def refuse(params: dict[str, Any], **_: object) -> None:
        if "InstanceMarketOptions" in params:
            raise ClientError({"Error": {"Code": code, "Message": "none here"}}, "RunInstances")

    provider.ec2_fail_fast = boto3.resource("ec2", REGION)  # its own is kept for the whole process
    provider.ec2_fail_fast.meta.client.meta.events.register("provide-client-params.ec2.RunInstances", refuse)
    tags = {TAG_RAY_CLUSTER_NAME: config["cluster_name"], TAG_RAY_NODE_KIND: "worker"}
    wanted = config["available_node_types"]["encode"]["node_config"]
    if code == "InvalidParameterValue":  # to ask for the dearer kind would not mend it
        with pytest.raises(NodeLaunchException, match="none here"):
            provider.create_node(wanted, tags, 1)
        return
    [made] = provider.create_node(wanted, tags, 1).values()
    found = boto3.client("ec2", REGION).describe_instances(InstanceIds=[made.id])
    [instance] = found["Reservations"][0]["Instances"]
    assert instance.get("InstanceLifecycle") is None
    assert instance["InstanceType"] == wanted["InstanceType"]
    assert {"Key": "project", "Value": "pubray"} in instance["Tags"]
    assert "InstanceMarketOptions" in wanted  # the next one is a spot instance again


def head_may_make(kind: str, tags: list[dict[str, str]]) -> bool:
    """Say whether the head's policy lets it start what has these tags; AWS asks for each kind of resource by itself."""
    requested = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    statements = setup.read_policy("head_policy.json", BUCKET)["Statement"]
    return any(
        "ec2:RunInstances" in [of["Action"]]
        and f"arn:aws:ec2:*:*:{kind}/*" in [of["Resource"]]
        and of["Condition"]["StringEquals"].items() <= requested.items()
        for of in statements
    )


def test_of_other_clusters_the_head_may_make_nothing(account: None) -> None:
    others = [{"Key": "project", "Value": "another"}, {"Key": "ray-cluster-name", "Value": "another"}]
    assert not any(head_may_make(kind, others) for kind in ("instance", "volume"))


def test_pods_of_kubernetes_take_the_nodes_role_where_their_cluster_is_named(
    account: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/A1"
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--oidc-provider", provider])
    assert setup.main() == 0
    iam = boto3.client("iam")
    roles = {
        name: iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] for name in ("pubray-node", "pubray-head")
    }
    [instances, of_pods] = roles["pubray-node"]["Statement"]
    assert (instances, roles["pubray-head"]["Statement"]) == (setup.INSTANCES, [setup.INSTANCES])
    assert of_pods["Principal"] == {"Federated": provider}
    issuer = "oidc.eks.us-east-1.amazonaws.com/id/A1"
    assert of_pods["Condition"]["StringLike"] == {f"{issuer}:sub": "system:serviceaccount:pubray:pubray*"}
    assert of_pods["Condition"]["StringEquals"] == {f"{issuer}:aud": "sts.amazonaws.com"}


def test_spot_nodes_can_start_in_an_account_that_never_had_one(account: None) -> None:
    assert boto3.client("iam").list_roles(PathPrefix="/aws-service-role/spot.amazonaws.com/")["Roles"]


def test_ssh_is_open_to_one_address_and_nodes_to_one_another(account: None) -> None:
    bootstrapped()  # which would open it to the world, in a group of its own
    [group] = boto3.client("ec2", REGION).describe_security_groups(GroupNames=[setup.GROUP])["SecurityGroups"]
    [ssh] = [rule for rule in group["IpPermissions"] if rule["IpProtocol"] == "tcp"]
    assert (ssh["FromPort"], ssh["ToPort"], [one["CidrIp"] for one in ssh["IpRanges"]]) == (22, 22, [ADMIN])
    [inside] = [rule for rule in group["IpPermissions"] if rule["IpProtocol"] == "-1"]
    assert [one["GroupId"] for one in inside["UserIdGroupPairs"]] == [group["GroupId"]]
    assert inside["IpRanges"] == []
