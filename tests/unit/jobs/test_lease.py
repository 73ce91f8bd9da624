from pathlib import Path

import pytest

from actors.store.s3_store import S3Store
from actors.store.stores import open_store
from jobs import lease, status
from jobs.common.store import read_current, swap_current
from jobs.common.writer import writing
from retrieval.files.checked import write_bytes
from schemas.config import Config
from schemas.errors import LostError, StoreError
from schemas.layout import Layout
from tests.support.s3.moto_server import moto_server
from tests.support.stores.store_files import config


def in_bucket(tmp_path: Path) -> Config:
    return config(tmp_path).with_values(store="s3://b-1/leases", cache=str(tmp_path / "cache"))


def test_of_a_folder_it_says_who_writes_and_breaks_nothing(tmp_path: Path) -> None:
    own = config(tmp_path)
    assert lease.show(lease.run(own)) == f"nobody writes to {tmp_path}"
    with writing(own, "embed"):
        assert (lease.run(own).writer or "").startswith("pubray embed, process ")
        assert "pubray embed, process" in status.show(status.run(own))
        with pytest.raises(StoreError, match="a folder's lock ends with its process; end that process"):
            lease.run(own, break_off=True)
    assert not lease.run(own, break_off=True).broken


def test_a_run_that_is_broken_off_cannot_change_current_and_the_next_begins_at_once(tmp_path: Path) -> None:
    with moto_server():
        own = in_bucket(tmp_path)
        store = open_store(own)
        assert isinstance(store, S3Store)
        with writing(own, "nightly"):
            broken = lease.run(own, break_off=True)
            assert (broken.writer or "").startswith("pubray nightly, process ")
            assert "cannot change CURRENT any more" in lease.show(broken)
            current = read_current(store)
            assert current
            with pytest.raises(LostError, match="another run has become the one who writes"):
                swap_current(store, current, current.model_copy(update={"version": "mine"}))
            assert read_current(store) == current
            assert lease.run(own).writer is None


def test_what_is_no_lease_is_told_and_broken(tmp_path: Path) -> None:
    with moto_server():
        own = in_bucket(tmp_path)
        write_bytes(open_store(own), Layout.lease, b"garbage")
        with pytest.raises(StoreError, match="pubray lease --break removes it"), writing(own, "gc"):
            pass
        assert "not a lease" in lease.show(lease.run(own))
        assert lease.run(own, break_off=True).broken
        with writing(own, "gc"):
            pass
