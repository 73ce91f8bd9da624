import os

import pytest

from jobs.common.cluster import _stderr_muted, is_private


def test_a_cluster_is_private_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert is_private()
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    assert not is_private()


def test_what_c_writes_meanwhile_is_lost_and_nothing_after_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), _stderr_muted():
        os.write(2, b"announcement\n")
        raise KeyError
    os.write(2, b"what went wrong\n")
    assert capfd.readouterr().err == "what went wrong\n"
