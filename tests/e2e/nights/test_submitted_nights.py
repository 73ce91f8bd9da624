"""Nights that infra/run-night gives to a cluster of one node: how they end is told, though the connection breaks."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs.common.store import served_version
from tests.campaign.round import CONFIG
from tests.support.models import tiny
from tests.support.ports import free_port
from tests.support.processes import ROOT, within
from tests.support.stores.made_source import write_source

CLUSTER = """
import sys, ray
ray.init(address="local", num_cpus=2, include_dashboard=True, dashboard_port=int(sys.argv[1]), log_to_driver=False)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def dashboard() -> Iterator[int]:
    """The port at which a cluster of its own takes jobs."""
    port = free_port()
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    command = [sys.executable, "-c", CLUSTER, str(port)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as cluster:
        assert cluster.stdout
        assert cluster.stdin
        assert cluster.stdout.readline() == "up\n"
        yield port
        cluster.stdin.close()


def night(port: int, store: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "RAY_ADDRESS": f"http://127.0.0.1:{port}",
        "RAY_AUTH_MODE": "disabled",
        "PUBRAY_STORE": str(store),
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
    }
    command = [str(ROOT / "infra" / "run-night"), *words]
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False, timeout=240)


@pytest.mark.whole
def test_words_come_as_they_are_and_so_does_the_exit_code(dashboard: int, tmp_path: Path) -> None:
    done = night(dashboard, tmp_path / "store", "--set", "$HOME;a&b c", "--", "--source", "ncbi")
    assert done.returncode == 2, done.stderr
    assert "$HOME;a&b c" in done.stdout.splitlines()[-1]


@pytest.mark.whole
def test_a_connection_that_breaks_costs_nothing(dashboard: int, tmp_path: Path) -> None:
    tiny.encoder(tmp_path / "model")
    (tmp_path / "config.toml").write_text(CONFIG.format(folder=tmp_path, dimension=tiny.DIMENSION))
    write_source(tmp_path / "source", "base", range(1, 60))
    store = LocalStore(str(tmp_path / "store"))
    with breaking(dashboard) as (port, cut):

        def cut_in_its_middle() -> None:
            within(120, lambda: [*store.names("articles")])
            cut()

        cutting = threading.Thread(target=cut_in_its_middle)
        cutting.start()
        source = ["--source", str(tmp_path / "source")]
        done = night(port, tmp_path / "store", "--config", str(tmp_path / "config.toml"), "--", *source)
        cutting.join()
    assert done.returncode == 0, done.stderr
    assert "the connection broke, and the night goes on" in done.stderr
    assert [done.stdout.count(text) for text in ("Running entrypoint", "CURRENT is")] == [1, 1]  # nothing twice
    assert served_version(store).articles == 59


@contextmanager
def breaking(to: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """A port that leads to another, and what breaks all connections that there are."""
    open_now: list[socket.socket] = []

    def pass_on(origin: socket.socket, goal: socket.socket) -> None:
        with suppress(OSError):
            while content := origin.recv(65_536):
                goal.sendall(content)
        for end in (origin, goal):
            end.close()

    def accept() -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", to))
            open_now.extend((near, far))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pass_on, args=pair, daemon=True).start()

    def cut() -> None:
        for end in open_now:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        open_now.clear()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], cut
        server.close()
