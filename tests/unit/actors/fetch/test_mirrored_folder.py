import fcntl
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from actors.fetch.downloader import CONNECTIONS, Downloader
from actors.fetch.mirrored_folder import MirroredFolder, fetching
from schemas.errors import InputError, StoreError


class Folder(MirroredFolder):
    """Fills parts with what it is given, and counts how often."""

    def __init__(self, folder: Path, sleep: Callable[[float], object] | None = None) -> None:
        super().__init__("http://127.0.0.1/nowhere", folder, Downloader(sleep))
        self.fills = 0

    def bring(self, content: bytes, error: Exception | None = None) -> Path:
        def fill(part: BinaryIO, path: Path) -> None:
            self.fills += 1
            part.write(content)
            part.flush()
            assert path.read_bytes().endswith(content)
            if error:
                raise error

        return self._bring("file", fill)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_that_is_filled_gets_its_name_and_is_not_filled_again(tmp_path: Path) -> None:
    with Folder(tmp_path / "new" / "folder") as folder:
        assert folder.bring(b"content") == tmp_path / "new" / "folder" / "file"
        folder.bring(b"other")
    assert files(tmp_path / "new" / "folder") == {"file": b"content"}
    assert folder.fills == 1


def test_a_part_that_could_not_be_filled_is_kept_and_continued(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder:
        with pytest.raises(InputError, match=r"^refused$"):
            folder.bring(b"half", InputError("refused"))
        assert files(tmp_path) == {".file.part": b"half"}
        folder.bring(b" and half")
    assert files(tmp_path) == {"file": b"half and half"}


def test_a_disk_that_fails_is_one_clear_line(tmp_path: Path) -> None:
    message = rf"^{tmp_path}/\.file\.part: No space left; mend that and run again, what was fetched is kept$"
    with Folder(tmp_path) as folder, pytest.raises(StoreError, match=message):
        folder.bring(b"half", OSError(28, "No space left"))
    assert files(tmp_path) == {".file.part": b"half"}


def test_what_another_process_fills_is_waited_for_and_taken(tmp_path: Path) -> None:
    part = tmp_path / ".file.part"
    with part.open("ab") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)

        def they_finish(_: float) -> None:
            theirs.write(b"theirs")
            theirs.flush()
            part.replace(tmp_path / "file")
            fcntl.flock(theirs, fcntl.LOCK_UN)

        with Folder(tmp_path, they_finish) as folder:
            folder.bring(b"ours")
    assert files(tmp_path) == {"file": b"theirs"}
    assert folder.fills == 0


def test_threads_fill_a_file_once(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder, ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(folder.bring, [b"content"] * 4))) == 1
    assert files(tmp_path) == {"file": b"content"}
    assert folder.fills == 1


def no_stop() -> None:
    raise AssertionError("nothing went wrong")


def test_each_is_handed_on_when_it_is_there_and_few_run_at_a_time() -> None:
    first_may_end, running, most = threading.Event(), 0, 0
    lock = threading.Lock()

    def fetch(key: int) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if key == 0:
            first_may_end.wait()
        with lock:
            running -= 1
        return f"file {key}"

    found = []
    with fetching(fetch, range(5), no_stop) as finished:
        for key, future in finished:
            found.append((key, future.result()))
            if len(found) == 4:
                first_may_end.set()
    assert found == [(key, f"file {key}") for key in (1, 2, 3, 4, 0)]
    assert most == CONNECTIONS


def test_what_is_added_meanwhile_is_handed_on_too() -> None:
    found: list[object] = []
    with fetching(str, [1, 2], no_stop) as finished:
        for key, future in finished:
            found.append(future.result())
            if future.result() == str(key):
                parsed: Future[int] = Future()
                finished.add(key, parsed)
                parsed.set_result(key)
    assert sorted(map(repr, found)) == ["'1'", "'2'", "1", "2"]


def test_a_failure_is_handed_on_like_a_result() -> None:
    with fetching(int, ["1", "x"], no_stop) as finished:
        assert {key: type(future.exception()) for key, future in finished} == {"1": type(None), "x": ValueError}


def test_what_still_runs_is_stopped_when_the_block_is_left_early() -> None:
    stopped = threading.Event()
    with pytest.raises(KeyError), fetching(lambda key: key and stopped.wait(), range(9), stopped.set) as finished:
        next(iter(finished))
        raise KeyError
    assert stopped.is_set()
