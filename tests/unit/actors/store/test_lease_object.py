"""A lease over a store that is a dictionary, by clocks that are set."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from actors.store.lease_object import held, read_lease
from schemas.errors import IntegrityError, StoreError, WriterError
from schemas.layout import Layout
from schemas.writers import Holder


class Bucket:
    """What a lease needs of a store."""

    root = "s3://bucket/x"

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.time = 0.0
        self.broken = False
        self.swaps = 0

    def read(self, key: str) -> bytes | None:
        assert key == Layout.lease
        return self.content

    def swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        if self.broken:
            raise StoreError("the network is cut")
        if expected != self.content:
            return False
        self.content, self.swaps = new, self.swaps + 1
        return True

    def now(self) -> int:
        return int(self.time * 1e9)

    def pause(self, seconds: float) -> None:
        self.time += seconds


def holder(name: str, lost: Callable[[], None] = lambda: None) -> Holder:
    return Holder(name, f"pubray {name}, process 1", lambda: "embed, 3 of 30 rows", lost)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def test_one_writes_and_others_are_told_who_and_how_far(bucket: Bucket) -> None:
    with held(bucket, holder("nightly"), 60):
        told = r"^store s3://bucket/x: pubray nightly, process 1 \(embed, 3 of 30 rows\), is writing; wait until it has"
        with pytest.raises(WriterError, match=told), held(bucket, holder("gc"), 60, pause=bucket.pause):
            pass
    assert bucket.time == 0
    with held(bucket, holder("gc"), 60):
        _, lease = read_lease(bucket)
    assert lease
    assert lease.run == "gc"
    assert read_lease(bucket)[1] is None


def test_a_silent_writer_is_waited_for_and_succeeded(bucket: Bucket) -> None:
    with ExitStack() as killed:
        killed.enter_context(held(bucket, holder("killed"), 60))
        bucket.time = 20
        with pytest.raises(WriterError, match="killed"), held(bucket, holder("next"), 60, pause=bucket.pause):
            pass
        bucket.time = 31  # two renewals were missed
        with held(bucket, holder("next"), 60, pause=bucket.pause):
            assert 60 <= bucket.time < 62
            _, lease = read_lease(bucket)
            assert lease
            assert lease.run == "next"
            killed.close()  # which does not give back what it does not have
            assert read_lease(bucket)[1] == lease


def test_it_is_renewed_while_its_holder_lives(bucket: Bucket) -> None:
    renewed = threading.Event()
    with held(bucket, holder("nightly"), 0.2):
        for second in range(1, 200):
            bucket.time = second * 0.01
            if bucket.swaps > 3:
                renewed.set()
                break
            threading.Event().wait(0.02)
    assert renewed.is_set()


@pytest.mark.parametrize("how", ["succeeded", "cut off"])
def test_who_loses_it_is_told(how: str, bucket: Bucket) -> None:
    lost = threading.Event()
    with held(bucket, holder("nightly", lost.set), 0.4):
        if how == "succeeded":
            bucket.content = b"{}"
        else:
            bucket.broken = True
        bucket.time = 0.2
        assert lost.wait(2)
        bucket.broken = False
    assert (bucket.content == b"{}") is (how == "succeeded")


def test_a_request_that_does_not_come_back_does_not_hide_it(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, answer = threading.Event(), threading.Event()
    with held(bucket, holder("nightly", lost.set), 0.4):
        monkeypatch.setattr(bucket, "now", lambda: answer.wait(60) and 0)
        assert lost.wait(5)
    answer.set()


def test_a_machine_that_slept_too_long_knows_it_as_soon_as_it_wakes(bucket: Bucket) -> None:
    lost, awake = threading.Event(), [0.0]
    with held(bucket, holder("nightly", lost.set), 3600, clock=lambda: awake[0]):
        assert not lost.wait(0.1)
        awake[0] = 3601
        assert lost.wait(5)


def test_a_lease_that_cannot_be_given_back_hides_nothing(bucket: Bucket) -> None:
    with held(bucket, holder("nightly"), 60):
        bucket.broken = True


def test_what_is_no_lease_is_named(bucket: Bucket) -> None:
    bucket.content = b"garbage"
    with pytest.raises(IntegrityError, match=r"^s3://bucket/x/lease: not a lease; pubray lease --break removes it$"):
        read_lease(bucket)
