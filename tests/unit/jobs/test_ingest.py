"""The parts of the job that need no Ray: which files are read, and which were."""

from pathlib import Path

import pytest

from jobs import ingest
from jobs.store import article_parts
from retrieval.articles import Article, article_batch
from retrieval.parts import write_article_part
from retrieval.snapshot import build_snapshot, write_snapshot
from schemas.errors import InputError, StoreError
from schemas.layout import Layout
from tests.unit.jobs.stores import config, options


def sources(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("content")
    return folder


def refusal(source: Path) -> str:
    with pytest.raises(InputError) as error:
        ingest.find_sources(str(source), Path("unused"))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_of_a_folder_are_in_pubmeds_order(tmp_path: Path) -> None:
    names = ["pubmed26n0002.xml.gz", "other.parquet", "pubmed26n0010.xml.gz", "pubmed25n0003.xml"]
    found = ingest.find_sources(str(sources(tmp_path / "s", *names)), Path("unused"))
    assert [f.name for f in found] == [names[3], names[0], names[2], names[1]]


def test_checksums_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", "a.xml", "a.xml.md5", ".b.xml")
    (folder / "c.xml").mkdir()
    assert ingest.find_sources(str(folder), Path("unused")) == [folder / "a.xml"]


def test_one_file_is_a_source(tmp_path: Path) -> None:
    file = sources(tmp_path / "s", "corpus.jsonl", "b.xml") / "corpus.jsonl"
    assert ingest.find_sources(str(file), Path("unused")) == [file]


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


@pytest.fixture
def ingested(tmp_path: Path) -> Path:
    """A store in which a source file of 7 bytes was ingested."""
    layout = Layout(str(tmp_path / "store"))
    write_article_part(layout.article_part("a"), [article_batch([Article(1), Article(2)])], source_bytes=7)
    sources(tmp_path / "s", "a.xml")
    return tmp_path


def test_what_was_ingested_is_not_read_again_and_its_snapshot_is_committed(ingested: Path) -> None:
    report = ingest.run(config(ingested / "store"), options(source=str(ingested / "s")))
    assert (report["files"], report["ingested"], report["records"], report["alive"]) == (1, 0, 2, 2)
    assert (ingested / "store" / "snapshots" / f"{report['snapshot']}.parquet").exists()
    assert ingest.show(report).startswith(f"snapshot {report['snapshot']}: 0 of 1 files were new\n")


def test_a_file_that_changed_under_its_name_is_refused(ingested: Path) -> None:
    file = ingested / "s" / "a.xml"
    file.write_text("other content")
    with pytest.raises(StoreError) as error:
        ingest.run(config(ingested / "store"), options(source=str(file)))
    assert str(error.value).startswith(f"{file}: 13 bytes, but a file of this name and 7 bytes was ingested before")
    assert "\n" not in str(error.value)


def test_the_snapshot_is_that_of_all_parts_in_file_order(ingested: Path) -> None:
    layout = Layout(str(ingested / "store"))
    write_article_part(layout.article_part("pubmed26n0001"), [article_batch([Article(2)])], source_bytes=7)
    report = ingest.run(config(ingested / "store"), options(source=str(ingested / "s")))
    assert (report["records"], report["alive"], report["superseded"]) == (3, 2, 1)
    tables = [(p.name, ingest._keys(layout, p.name)) for p in article_parts(layout)]
    assert [name for name, _ in tables] == ["pubmed26n0001", "a"]
    write_snapshot(layout.snapshot("expected"), build_snapshot(tables))
    written = Path(layout.snapshot(report["snapshot"])).read_bytes()
    assert written == Path(layout.snapshot("expected")).read_bytes()
