"""Ceph's S3 gateway on loopback: a server that many run, and that is stricter than moto."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from actors.store import s3_client
from tests.support.ports import free_port
from tests.support.s3.bucket_server import Bucket
from tests.support.s3.fault_proxy import fault_proxy
from tests.support.s3.moto_server import environment

GATEWAY = "client.rgw.pid"
PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph")
KEYS = ("ak123456", "sk12345678")
UP = Path(__file__).with_name("ceph_up.sh")


@contextmanager
def ceph_bucket(folder: Path) -> Iterator[Bucket]:
    """Run one behind a proxy, which clients of this process and its children ask; its gateway can be started anew."""

    def process() -> int:
        return int((folder / "run" / GATEWAY).read_text())

    def restart() -> int:
        subprocess.run(
            ["radosgw", "-n", "client.rgw"], env={**os.environ, "CEPH_CONF": f"{folder}/ceph.conf"}, check=True
        )
        return process()

    with ceph_server(folder) as address, fault_proxy(address) as proxy, environment(proxy.address, *KEYS):
        yield Bucket(address, proxy, process(), restart)


@contextmanager
def ceph_server(folder: Path, address: str | None = None) -> Iterator[str]:
    """Run one, with an empty bucket `b-1`, on loopback or at `HOST:PORT`; return its address.

    Skips the test where its programs are not.
    """
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        pytest.skip(f"no {missing[0]}: infra/install_programs.sh ceph")
    if os.geteuid():
        pytest.skip("only root can run Ceph")
    address = address or f"127.0.0.1:{free_port()}"
    try:
        subprocess.run([UP, str(folder), address], check=True, start_new_session=True)
        with environment(f"http://{address}", *KEYS):
            s3_client.client().makedirs("b-1", exist_ok=True)
        yield f"http://{address}"
    finally:
        # The OSD first: the others would wait for it.
        for pid in sorted((folder / "run").glob("*.pid"), key=lambda path: "osd" not in path.name):
            with suppress(ProcessLookupError, ValueError):
                os.kill(int(pid.read_text()), signal.SIGKILL)
