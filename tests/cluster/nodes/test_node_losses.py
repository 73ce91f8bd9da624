"""A node that is lost in the middle of a job costs time only; nodes that share no disk share a bucket."""

import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from actors.store.local_store import LocalStore
from actors.store.s3_client import client
from jobs import compact, embed, index, ingest, nightly, promote
from jobs.common.config import load_config
from jobs.common.store import versions
from schemas.manifest import IndexVersion
from tests.campaign.driven import end_of
from tests.campaign.round import CONFIG
from tests.support.clusters.labelled_cluster import Node, labelled_cluster
from tests.support.models import tiny
from tests.support.processes import within
from tests.support.s3.bucket_server import bucket
from tests.support.stores.made_source import write_source

pytestmark = pytest.mark.whole
ARTICLES, REVISED, FEW = 600, 30, 60
WAIT = 120
SETTINGS = ["embed.rows_per_part=5", "embed.actors=auto", "index.rows_per_worker=15", "index.num_shards=8"]
NODES = [Node(group) for group in "abc"]
ENCODE, BUILD, MERGE = "EncodeRange", "build_worker_shards", "merge"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a configuration, the source of a first night and that of a second one."""
    folder = tmp_path_factory.mktemp("nodes")
    tiny.encoder(folder / "model")
    text = CONFIG.format(folder=folder, dimension=tiny.DIMENSION)
    (folder / "config.toml").write_text(text)
    for source in ("first", "second"):
        write_source(folder / source, "base", range(1, ARTICLES + 1))
    write_source(folder / "second", "night", range(1, REVISED + 1))
    return folder


@pytest.fixture(scope="module")
def undisturbed(cluster: None, night: Path) -> Path:
    """That folder, with the stores of one machine before and after each job."""
    config = load_config(str(night / "config.toml"), SETTINGS, {"PUBRAY_STORE": str(night / "store")})

    def run(job: ModuleType, **keywords: bool) -> None:
        name = job.__name__.rpartition(".")[2]
        shutil.copytree(config.store, night / f"before-{name}")
        job.run(config, **keywords)
        shutil.copytree(config.store, night / f"after-{name}")

    ingest.run(config, source=str(night / "first"))
    run(embed)
    run(index)
    promote.run(config)
    nightly.run(config, source=str(night / "second"))
    run(compact, force=True)
    return night


def options(night: Path, *arguments: str) -> list[str]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return ["--config", str(night / "config.toml"), *settings, *arguments]


def all_versions(store: Path) -> dict[str, IndexVersion]:
    return {version.id: version.model_copy(update={"created": ""}) for version in versions(LocalStore(str(store)))}


def names(store: Path, kind: str) -> set[str]:
    found = {path.relative_to(store) for path in (store / kind).rglob("*") if path.is_file()}
    return {str(path) for path in found if not any(part.startswith(".") for part in path.parts)}  # as a kill left it


@pytest.mark.parametrize(
    ("job", "work", "kind"), [("embed", ENCODE, "vectors"), ("index", BUILD, "shards"), ("compact", MERGE, None)]
)
def test_a_node_that_is_killed_costs_time_only(
    undisturbed: Path, tmp_path: Path, job: str, work: str, kind: str | None
) -> None:
    """Where there is a kind of files that it makes, it has made some."""
    store, words = shutil.copytree(undisturbed / f"before-{job}", tmp_path / "store"), [job]
    if job == "compact":
        words.append("--force")
    with labelled_cluster(NODES) as nodes, nodes.start(str(store), *options(undisturbed, *words)) as process:
        within(WAIT, lambda: (kind is None or names(store, kind)) and nodes.kill_node_with(work))
        assert process.poll() is None
        done = end_of(process)
        assert done.code == 0, done.error
    after = undisturbed / f"after-{job}"
    for made in ("vectors", "segments"):
        assert names(store, made) == names(after, made)
    assert all_versions(store) == all_versions(after)


def test_all_nodes_work(night: Path, tmp_path: Path) -> None:
    with labelled_cluster(NODES) as nodes:
        done = nodes.run(str(tmp_path / "store"), *options(night, "nightly", "--source", str(night / "first")))
        assert done.code == 0, done.error
        ran = nodes.groups()
    for work in (ENCODE, BUILD):
        assert {group for name, groups in ran.items() if work in name for group in groups} == set("abc"), (work, ran)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a node a disk of its own")
def test_nodes_with_disks_of_their_own_share_a_bucket_and_no_folder(night: Path, tmp_path: Path) -> None:
    own = tmp_path / "disk"
    own.mkdir()
    write_source(own / "source", "base", range(1, FEW + 1))
    source = own / "source"
    words = options(night, "--set", f"cache={own / 'cache'}", "nightly", "--source")
    with bucket(), labelled_cluster(NODES, own_disk=own) as nodes:
        refused = nodes.run(str(own / "store"), *words, str(source))
        assert refused.code == 1
        assert f"does not see the store {own / 'store'}" in refused.last
        unseen = nodes.run("s3://b-1/store", *words, str(source))
        assert unseen.code == 1
        assert f"{source / 'base.parquet'}: not seen on node " in unseen.last
        client().put(f"{source}/", "b-1/source/", recursive=True)
        done = nodes.run("s3://b-1/store", *words, "s3://b-1/source")
        assert done.code == 0, done.error
