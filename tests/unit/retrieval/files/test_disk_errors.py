import errno
from pathlib import Path

import pytest

from retrieval.files.atomic import atomic_path, write_file
from retrieval.files.disk_errors import told
from schemas.errors import StoreError


def test_an_error_of_a_disk_is_one_line_that_says_what_to_do() -> None:
    refused = told(OSError(errno.EROFS, "Read-only file system", "/store/a"), "/store/b")
    assert str(refused) == "/store/a: read-only file system; name a folder that can be written"
    of_arrow = told(
        OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device"), "b"
    )
    assert str(of_arrow) == "b: no space left on device; make room, and run the job again"
    assert told(FileNotFoundError(errno.ENOENT, "No such file"), "b") is None


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "folder" / "part")
    with pytest.raises(StoreError, match=rf"^{path}: no space left on device; make room"), atomic_path(path) as file:
        file.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_name_that_is_too_long_and_a_folder_that_is_a_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="file name too long; give the source file a shorter name"):
        write_file(str(tmp_path / ("x" * 250)), b"")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"not a directory|file exists"):
        write_file(str(tmp_path / "file" / "x" / "y"), b"")
