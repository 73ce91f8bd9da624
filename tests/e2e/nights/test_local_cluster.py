"""Two hosts that `ray up` makes a cluster of: a night in a bucket goes on where a host is cut off in its middle."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.store.s3_client import client
from actors.store.stores import store_at
from jobs.common.config import load_config
from jobs.common.run_records import runs
from jobs.common.store import served_version
from tests.campaign.round import CONFIG
from tests.support.models import tiny
from tests.support.ports import free_port
from tests.support.processes import ROOT, started, within
from tests.support.s3.ceph_server import KEYS, ceph_server
from tests.support.s3.moto_server import environment
from tests.support.stores.made_source import write_source

CLUSTER = ROOT / "infra" / "local-cluster" / "cluster.sh"
HERE = "10.77.0.1"
"""This machine, as the hosts know it."""
STORE = "s3://b-1/store"
FIRST, NEW = 100, 400
WAIT = 180


@contextmanager
def hosts(port: int) -> Iterator[dict[str, str]]:
    """Bring two up, whose store is at a port of this machine; yield the environment of who gives them jobs."""
    with environment(f"http://{HERE}:{port}", *KEYS):
        try:
            told = subprocess.run([CLUSTER, "up"], text=True, capture_output=True, check=False, timeout=200)
            assert told.returncode == 0, told.stderr
            given = told.stdout.strip().splitlines()[-1].partition(" infra/run-night")[0].split()
            programs = f"{sys.prefix}/bin:{os.environ['PATH']}"  # run-night's, in whatever way this was started
            own = {"PUBRAY_STORE": STORE, "PATH": programs}
            yield {**os.environ, **dict(word.split("=", 1) for word in given), **own}
        finally:
            subprocess.run([CLUSTER, "down"], check=True, capture_output=True)


@pytest.mark.whole
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("sshd"), reason="only root can make hosts, with openssh-server and rsync"
)
def test_a_night_goes_on_where_a_host_is_cut_off(tmp_path: Path) -> None:
    tiny.encoder(tmp_path / "model")
    (tmp_path / "config.toml").write_text(CONFIG.format(folder=tmp_path, dimension=tiny.DIMENSION))
    settings = ["--config", str(tmp_path / "config.toml"), "--set", "embed.rows_per_part=5"]
    config = load_config(str(tmp_path / "config.toml"), [], {"PUBRAY_STORE": STORE})
    port, served = free_port(), free_port()
    with hosts(port) as environment, ceph_server(tmp_path / "ceph", f"{HERE}:{port}"):

        def night(name: str, articles: int, *options: str) -> "subprocess.Popen[str]":
            write_source(tmp_path / "source", name, range(1, articles + 1))
            client().put(f"{tmp_path}/source/", "b-1/source/", recursive=True)
            command = [str(ROOT / "infra" / "run-night"), *settings, "--", "--source", "s3://b-1/source", *options]
            with (tmp_path / f"{name}.log").open("w") as log:
                return subprocess.Popen(command, env=environment, text=True, stdout=log, stderr=log)

        def parts() -> int:
            return sum(1 for _ in store_at(STORE, config).entries("vectors"))

        first = night("base", FIRST)
        assert first.wait(WAIT) == 0, (tmp_path / "base.log").read_text()
        before = parts()
        service = ["--set", f"serve.host={HERE}", *settings, "serve", "--port", str(served)]
        with started(STORE, *service):
            second = night("more", NEW, "--service", f"http://{HERE}:{served}")
            within(WAIT, lambda: parts() > before + 4 or second.poll() is not None)
            subprocess.run([CLUSTER, "cut"], check=True)
            assert runs(store_at(STORE, config)).runs[-1].stage == "embed"
            assert second.wait(WAIT) == 0, (tmp_path / "more.log").read_text()
        version = served_version(store_at(STORE, config))
        assert version.articles == NEW
        subprocess.run([CLUSTER, "mend"], check=True)
