import fcntl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from actors.fetch.downloader import Downloader
from actors.fetch.mirrored_folder import MirroredFolder
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
