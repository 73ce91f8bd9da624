import threading
from pathlib import Path

import pytest

from retrieval.files.atomic import atomic_path, lock, remove, write_file
from schemas.errors import StoreError


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_files_and_folders_are_removed_or_gone_already(tmp_path: Path) -> None:
    write_file(str(tmp_path / "folder" / "sub" / "a"), b"content")
    write_file(str(tmp_path / "b"), b"content")
    for name in ("folder", "b", "b", ".c.tmp"):
        remove(str(tmp_path / name))
    assert names(tmp_path) == []


def test_a_folder_that_is_removed_in_part_has_lost_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(str(tmp_path / "folder" / "a"), b"content")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.rmtree", interrupt)
        remove(str(tmp_path / "folder"))
    [left] = names(tmp_path)
    assert left.startswith(".folder.")
    remove(str(tmp_path / left))
    assert names(tmp_path) == []


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_written_file_is_whole_and_alone(tmp_path: Path) -> None:
    write_file(str(tmp_path / "new" / "a"), b"content")
    assert (tmp_path / "new" / "a").read_bytes() == b"content"
    assert names(tmp_path / "new") == ["a"]


@pytest.mark.parametrize("kind", ["nothing", "file", "folder"])
def test_an_exception_leaves_nothing(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_path(str(tmp_path / "a")) as temporary:
        if kind == "file":
            temporary.write_bytes(b"half")
        elif kind == "folder":
            (temporary / "inner").mkdir(parents=True)
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_an_exception_leaves_the_old_file(tmp_path: Path) -> None:
    write_file(str(tmp_path / "a"), b"old")
    with pytest.raises(ZeroDivisionError), atomic_path(str(tmp_path / "a")) as temporary:
        temporary.write_bytes(b"new")
        raise ZeroDivisionError
    assert (tmp_path / "a").read_bytes() == b"old"


def test_nobody_sees_a_file_before_it_is_whole(tmp_path: Path) -> None:
    with atomic_path(str(tmp_path / "a")) as temporary:
        temporary.write_bytes(b"x")
        assert not (tmp_path / "a").exists()
        assert temporary.parent == tmp_path  # a rename is atomic on one file system only
    assert (tmp_path / "a").exists()


def test_a_folder_that_exists_is_kept(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with atomic_path(str(tmp_path / "segment")) as temporary:
            temporary.mkdir()
            (temporary / "file").write_text(content)
    assert (tmp_path / "segment" / "file").read_text() == "first"
    assert names(tmp_path) == ["segment"]


def test_workers_that_finish_a_folder_at_once_all_succeed(tmp_path: Path) -> None:
    barrier = threading.Barrier(RACERS)
    done = []

    def work(folder: Path) -> None:
        with atomic_path(str(folder)) as temporary:
            temporary.mkdir()
            (temporary / "file").write_text("same")
            barrier.wait()
        done.append(folder)

    for race in range(10):
        threads = [threading.Thread(target=work, args=(tmp_path / str(race),)) for _ in range(RACERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(done) == RACERS * (race + 1)
    assert names(tmp_path) == sorted(map(str, range(10)))


def test_a_file_does_not_pass_for_a_folder(tmp_path: Path) -> None:
    write_file(str(tmp_path / "a"), b"a file")
    with pytest.raises(StoreError, match="not a directory"), atomic_path(str(tmp_path / "a")) as temporary:
        temporary.mkdir()


RACERS = 8


def test_a_lock_is_held_by_one_and_let_go(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("wb") as first, (tmp_path / ".lock").open("wb") as second:
        assert lock(first)
        assert not lock(second, wait=False)
        first.close()
        assert lock(second, wait=False)
