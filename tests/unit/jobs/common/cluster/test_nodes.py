"""Whether a process can work on a store that another one has written to."""

from importlib.metadata import version
from pathlib import Path

from actors.store.local_store import LocalStore
from jobs.common.cluster.nodes import why_unfit
from retrieval.files.checked import write_bytes

KEY, OWN = "probes/1", version("pubray")


def test_one_that_reads_what_was_written_can(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    write_bytes(store, KEY, KEY.encode())
    assert why_unfit(store, KEY, OWN) is None


def test_one_that_sees_another_folder_or_none_cannot(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    assert (why_unfit(store, KEY, OWN) or "").startswith(f"does not see the store {tmp_path}: ")
    write_bytes(store, KEY, b"of another")
    assert why_unfit(store, KEY, OWN) == f"sees another store at {tmp_path}"


def test_one_of_another_pubray_cannot(tmp_path: Path) -> None:
    assert why_unfit(LocalStore(str(tmp_path)), KEY, "9.9") == f"has pubray {OWN}, this process 9.9"
