"""A spot node that is taken away while a model is trained on it: what was done until the notice is not done again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign.driven import end_of
from tests.campaign.round import CONFIG
from tests.support.clusters.instance_metadata import instance_metadata
from tests.support.clusters.labelled_cluster import Node, labelled_cluster
from tests.support.models import tiny
from tests.support.processes import ROOT, within
from tests.support.training.made_pairs import store_of

pytestmark = pytest.mark.whole
WAIT = 180
SETTINGS = ("batch=8", "neighbours=1", "steps=2000", "warmup=1", "checkpoint_steps=100000", "threads=1", "measured=0")
NOTICE = ROOT / "infra" / "aws" / "spot_notice.sh"


def test_its_state_is_kept_at_the_notice_and_another_node_goes_on(tmp_path: Path) -> None:
    config, _ = store_of(tmp_path, tiny.encoder(tmp_path / "model"))
    (tmp_path / "config.toml").write_text(CONFIG.format(folder=tmp_path, dimension=tiny.DIMENSION))
    words = [word for setting in SETTINGS for word in ("--set", f"train.{setting}")]
    command = ["--config", str(tmp_path / "config.toml"), *words, "train-retriever", "--pairs", "made", "--json"]
    states = Path(config.store) / "checkpoints"
    with (
        labelled_cluster([Node("a"), Node("b")]) as nodes,
        instance_metadata() as metadata,
        nodes.start(config.store, *command) as process,
    ):
        within(WAIT, lambda: nodes.alive("RayTrainWorker"))
        [node] = nodes.alive("RayTrainWorker").values()
        environment = nodes.environment(config.store) | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}
        environment["PATH"] = f"{sys.prefix}/bin:{environment['PATH']}"  # where `ray` is
        with subprocess.Popen([NOTICE, "--node-id", node.hex()], env=environment) as told:
            within(WAIT, lambda: metadata.asked)
            assert told.poll() is None
            metadata.take_away(15)
            assert told.wait(WAIT) == 0
        within(WAIT, lambda: [*states.glob("*/[!.]*")])
        [kept] = states.glob("*/[!.]*")
        done = end_of(process)
        assert done.code == 0, done.error
    assert json.loads(done.out)["steps"] == 2000
    assert int(kept.stem) > 0
    assert f"workers were lost; others go on after step {int(kept.stem)}\n" in done.error
