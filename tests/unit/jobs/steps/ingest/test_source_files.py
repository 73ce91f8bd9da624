"""Which files a source has, and the task that parses one, without Ray."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from actors.store.local_store import LocalStore
from actors.store.stores import store_at
from jobs.steps.ingest.source_files import _unchanged, find_sources, open_origin, parse_source
from retrieval.articles.article import Rejects, read_article_part
from retrieval.files.checked import write_bytes
from retrieval.ingest.readers import open_source
from schemas.errors import InputError, StoreError
from schemas.layout import Layout
from tests.support.s3.moto_server import moto_server
from tests.support.stores.store_files import config, write_part

XML = (
    "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>One</ArticleTitle></Article>"
    "</MedlineCitation></PubmedArticle></PubmedArticleSet>"
)


def sources(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("content")
    return folder


def found(source: Path) -> list[str]:
    """The files of a source, in their order."""
    store, files = find_sources(config(source), str(source))
    assert [store.facts(key) for key in files] == [*files.values()]
    return [*files]


def refusal(source: Path) -> str:
    with pytest.raises(InputError) as error:
        found(source)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_of_a_folder_are_in_pubmeds_order(tmp_path: Path) -> None:
    names = ["pubmed26n0002.xml.gz", "other.parquet", "pubmed26n0010.xml.gz", "pubmed25n0003.xml"]
    assert found(sources(tmp_path / "s", *names)) == [names[3], names[0], names[2], names[1]]


def test_checksums_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", "a.xml", "a.xml.md5", ".b.xml")
    (folder / "c.xml").mkdir()
    assert found(folder) == ["a.xml"]


def test_one_file_is_a_source(tmp_path: Path) -> None:
    file = sources(tmp_path / "s", "corpus.jsonl", "b.xml") / "corpus.jsonl"
    assert found(file) == ["corpus.jsonl"]


def test_a_mirror_in_a_bucket_is_read_like_a_folder(tmp_path: Path) -> None:
    own = config(tmp_path).with_values(cache=str(tmp_path / "cache"))
    with moto_server():
        for key in (
            "baseline/pubmed26n0001.xml.gz",
            "baseline/pubmed26n0001.xml.gz.md5",
            "updatefiles/pubmed26n0002.xml.gz",
        ):
            write_bytes(store_at("s3://b-1/mirror", own), key, b"content")
        with open_origin(own, "s3://b-1/mirror/", baseline=False) as origin:
            assert origin.files == ["baseline/pubmed26n0001.xml.gz", "updatefiles/pubmed26n0002.xml.gz"]
            assert origin.baseline == ["baseline/pubmed26n0001.xml.gz"]
        one = "s3://b-1/mirror/updatefiles/pubmed26n0002.xml.gz"
        with open_origin(own, one, baseline=False) as origin:
            assert (origin.files, origin.store.name(origin.files[0])) == (["pubmed26n0002.xml.gz"], one)
            assert origin.store.local(origin.files[0]).read_bytes() == b"content"
        with pytest.raises(InputError, match=r"^--source s3://b-1/none: no such object or prefix$"):
            find_sources(own, "s3://b-1/none")
        with pytest.raises(StoreError, match=r"^s3://b-2: there is no such bucket; make it, or name another$"):
            find_sources(own, "s3://b-2/x")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"--source {tmp_path / 'none'}: no such file or folder"


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"--source {tmp_path}: the folder holds no files")


def test_a_file_of_no_known_kind_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sources(tmp_path / "s", "a.xml", "notes.docx", "README.txt", "pubmed26n0001_stats.html")
    assert refusal(folder / "notes.docx").startswith("notes.docx is no source file by its name")
    assert found(folder) == ["a.xml"]
    left_out = "left out, no source files by their names: README.txt, notes.docx, pubmed26n0001_stats.html"
    assert left_out in capsys.readouterr().err


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", "a.xml")
    (folder / "b.xml").symlink_to(tmp_path / "gone.xml")
    assert refusal(folder) == f"--source {folder}: b.xml is a link to nothing; mend it, or remove it"


def test_a_copy_of_ncbis_folders_is_read_with_its_baseline(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    sources(tmp_path / "s" / "baseline", "pubmed26n0001.xml.gz", "pubmed26n0001.xml.gz.md5")
    sources(tmp_path / "s" / "updatefiles", "pubmed26n0002.xml.gz")
    with open_origin(config(tmp_path), str(tmp_path / "s"), baseline=False) as origin:
        assert origin.files == ["baseline/pubmed26n0001.xml.gz", "updatefiles/pubmed26n0002.xml.gz"]
        assert origin.baseline == ["baseline/pubmed26n0001.xml.gz"]


def test_of_a_copy_last_years_updates_are_left_out_and_a_gap_behind_the_baseline_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    sources(folder / "baseline", "pubmed26n0001.xml.gz")
    sources(folder / "updatefiles", "pubmed25n1300.xml.gz", "pubmed26n0002.xml.gz")
    with open_origin(config(tmp_path), str(folder), baseline=False) as origin:
        assert origin.files == ["baseline/pubmed26n0001.xml.gz", "updatefiles/pubmed26n0002.xml.gz"]
    (folder / "updatefiles" / "pubmed26n0002.xml.gz").rename(folder / "updatefiles" / "pubmed26n0003.xml.gz")
    with (
        pytest.raises(InputError, match="files between are missing"),
        open_origin(config(tmp_path), str(folder), baseline=False),
    ):
        pass


@pytest.mark.parametrize("names", [("new.parquet",), ("pubmed26n0007.xml.gz",)])
def test_a_folder_that_is_called_baseline_is_none_unasked(names: tuple[str, ...], tmp_path: Path) -> None:
    folder = sources(tmp_path / "baseline", *names)
    for source in (folder, folder / names[0]):
        with open_origin(config(tmp_path), str(source), baseline=False) as origin:
            assert (origin.files, origin.baseline) == ([*names], None)


def test_two_files_for_one_article_part_are_refused(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", "a.xml", "a.xml.gz", "b.xml")
    assert refusal(folder) == f"--source {folder}: several files are called a; keep one of them"


def test_a_name_that_is_too_long_for_a_store_is_refused(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", f"{'n' * 200}.xml")
    assert refusal(folder) == f"--source {folder}: {'n' * 40}… has 204 bytes, 180 may be; rename it"


def test_a_folder_says_what_its_files_are_only_when_told(tmp_path: Path) -> None:
    folder = sources(tmp_path / "s", "pubmed26n0002.xml", "pubmed26n0001.xml.gz")
    names = ["pubmed26n0001.xml.gz", "pubmed26n0002.xml"]
    for baseline in (True, False):
        with open_origin(config(tmp_path), str(folder), baseline=baseline) as origin:
            assert (origin.files, origin.baseline) == (names, names if baseline else None)
            assert [origin.store.local(name) for name in names] == [folder / name for name in names]
            assert [*origin.found] == names


def test_a_source_becomes_a_part_if_its_md5_is_right(tmp_path: Path) -> None:
    store, task = LocalStore(str(tmp_path / "store")), cast("Any", parse_source)
    parse = task._function
    file = tmp_path / "a.xml"
    file.write_text(XML)
    md5 = tmp_path / "a.xml.md5"
    md5.write_text(f"MD5(a.xml)= {'0' * 32}\n")
    with pytest.raises(InputError, match=rf"^{file}: md5 [0-9a-f]{{32}}, published is 0{{32}}; download it again$"):
        parse(store, LocalStore(str(tmp_path)), file.name, 3)
    assert not store.path(Layout.article_part("a")).exists()
    md5.write_text(f"MD5(a.xml)= {hashlib.md5(XML.encode()).hexdigest()}\n")
    part = parse(store, LocalStore(str(tmp_path)), file.name, 3)
    assert (part.ref.name, part.ref.rows, part.source.bytes, part.source.lineage) == ("a", 1, len(XML), 3)
    assert read_article_part(store, "a") == part


def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path: Path) -> None:
    store, file = LocalStore(str(tmp_path / "store")), tmp_path / "corpus.jsonl"
    line = '{"_id": "%d", "title": "t", "text": "made"}\n'
    file.write_text("".join(line % number for number in range(5)))

    def batches() -> Iterator[pa.RecordBatch]:
        yield from open_source_batches(file)
        with file.open("a") as more:
            more.write(line % 5)

    sources = LocalStore(str(tmp_path))
    before = sources.facts(file.name)
    assert before
    with pytest.raises(InputError, match=r"corpus\.jsonl: was written to while it was read; ingest it again when"):
        write_part(store, "corpus", _unchanged(batches(), sources, before))
    assert not store.path(Layout.article_part("corpus")).exists()


def open_source_batches(file: Path) -> Iterator[pa.RecordBatch]:
    with open_source(file, Rejects()) as batches:
        yield from batches
