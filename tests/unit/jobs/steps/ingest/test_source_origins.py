from pathlib import Path

import pytest

from jobs.steps.ingest.source_origins import find_sources, open_origin
from schemas.errors import InputError
from tests.support.stores.store_files import config


def sources(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("content")
    return folder


def refusal(source: Path) -> str:
    with pytest.raises(InputError) as error:
        find_sources(str(source), Path("unused"))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_of_a_folder_are_in_pubmeds_order(tmp_path: Path) -> None:
    names = ["pubmed26n0002.xml.gz", "other.parquet", "pubmed26n0010.xml.gz", "pubmed25n0003.xml"]
    found = find_sources(str(sources(tmp_path / "s", *names)), Path("unused"))
    assert [f.name for f in found] == [names[3], names[0], names[2], names[1]]


def test_checksums_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", "a.xml", "a.xml.md5", ".b.xml")
    (folder / "c.xml").mkdir()
    assert find_sources(str(folder), Path("unused")) == [folder / "a.xml"]


def test_one_file_is_a_source(tmp_path: Path) -> None:
    file = sources(tmp_path / "s", "corpus.jsonl", "b.xml") / "corpus.jsonl"
    assert find_sources(str(file), Path("unused")) == [file]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"--source {tmp_path / 'none'}: no such file or folder"


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"--source {tmp_path}: the folder holds no files")


def test_a_file_of_no_known_kind_is_named(tmp_path: Path) -> None:
    assert refusal(sources(tmp_path / "s", "a.xml", "notes.docx")).startswith(
        "notes.docx is no source file by its name"
    )


def test_two_files_for_one_article_part_are_refused(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", "a.xml", "a.xml.gz", "b.xml")
    assert refusal(folder) == f"--source {folder}: several files are called a; keep one of them"


def test_a_folder_says_what_its_files_are_only_when_told(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", "pubmed26n0002.xml", "pubmed26n0001.xml.gz")
    names = ["pubmed26n0001.xml.gz", "pubmed26n0002.xml"]
    for baseline in (True, False):
        with open_origin(config(tmp_path), str(folder), baseline=baseline) as origin:
            assert (origin.files, origin.baseline) == (names, names if baseline else None)
            assert [origin.fetch(name) for name in names] == [folder / name for name in names]
            assert origin.size(names[0]) == 7
