import os
import socket

import pytest

from jobs.common.cluster.joining import _stderr_muted, _told, check_reached, is_private
from schemas.errors import ClusterError, UsageError
from tests.support.ports import free_port


def test_a_cluster_is_private_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert is_private()
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    assert not is_private()


def test_what_ray_raises_of_no_kind_is_told_in_a_line() -> None:
    with (
        pytest.raises(ClusterError, match=r"^Ray did not come up on this machine \(The node timed out\. Or so\.\); "),
        _told(),
    ):
        raise Exception("The node timed out.\nOr so.")
    with pytest.raises(ConnectionError, match="another"), _told():
        raise ConnectionError("another")


def test_what_c_writes_meanwhile_is_lost_and_nothing_after_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), _stderr_muted():
        os.write(2, b"announcement\n")
        raise KeyError
    os.write(2, b"what went wrong\n")
    assert capfd.readouterr().err == "what went wrong\n"


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_does_not_answer_is_told_at_once(scheme: str) -> None:
    address = f"{scheme}127.0.0.1:{free_port()}"
    with pytest.raises(UsageError, match=f"^RAY_ADDRESS = {address}: no cluster answers .*refused"):
        check_reached(address)


@pytest.mark.parametrize("address", ["auto", "local"])
def test_what_ray_finds_by_itself_is_left_to_it(address: str) -> None:
    check_reached(address)


def test_one_that_answers_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_reached(f"127.0.0.1:{server.getsockname()[1]}")
