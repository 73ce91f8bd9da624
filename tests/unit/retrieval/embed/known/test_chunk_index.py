import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.articles.normal_text import text_digest
from retrieval.embed.known.chunk_index import (
    DIGEST,
    PMID,
    ROW,
    ChunkFiles,
    chunk_names,
    chunk_numbers,
    listed_chunk_files,
    open_index,
    read_digests,
    read_pmids,
)
from schemas.errors import InputError, IntegrityError
from tests.support.pubmed.file_server import listing_page
from tests.support.stores.published_chunk_files import text, write_chunk, write_json

NAMES = {name for number in (10, 2, 0) for name in chunk_names(number)}


def test_a_chunk_has_three_files() -> None:
    names = ["embeds_chunk_7.npy", "pmids_chunk_7.json", "pubmed_chunk_7.json"]
    assert list(chunk_names(7)) == names
    assert ChunkFiles.of(Path("/x"), 7) == (7, *(Path("/x") / name for name in names))


def test_chunks_are_in_the_order_of_their_numbers_with_gaps() -> None:
    assert chunk_numbers(NAMES | {"README.txt", ".embeds_chunk_1.npy.part", "embeds_chunk_3.npy.gz"}, "x") == [0, 2, 10]


def test_texts_are_not_needed() -> None:
    assert chunk_numbers({"embeds_chunk_5.npy", "pmids_chunk_5.json"}, "x") == [5]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (set(), r"^/x: no embeds_chunk_<i>\.npy; name what holds"),
        ({"pmids_chunk_0.json", "pubmed_chunk_0.json"}, r"^/x: no embeds_chunk_<i>\.npy; "),
        (NAMES - {"pmids_chunk_2.json"}, r"^/x: embeds_chunk_2\.npy without pmids_chunk_2\.json; fetch both$"),
    ],
)
def test_no_chunk_or_half_a_chunk_is_refused(names: set[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        chunk_numbers(names, "/x")


def test_a_listing_names_the_files_of_chunks_and_no_others() -> None:
    others = ["README.txt", "embeds_chunk_0.npy.md5", "embeds_chunk_x.npy", "pubmed26n0001.xml.gz"]
    assert listed_chunk_files(listing_page("/pubmed_embeddings/", [*sorted(NAMES), *others])) == NAMES


def test_a_listing_that_breaks_off_is_refused() -> None:
    page = listing_page("/pubmed_embeddings/", sorted(NAMES))
    with pytest.raises(InputError, match=r"^a listing of .* characters that does not end"):
        listed_chunk_files(page[: page.index("pmids_chunk_2")])


PMIDS = [2_000_009, 2_000_003, 2_999_999, 2_000_000]


def chunk(folder: Path) -> ChunkFiles:
    return ChunkFiles.of(folder / "chunks", 2)


def write(folder: Path, *, texts: bool) -> ChunkFiles:
    write_chunk(folder / "chunks", 2, PMIDS, {pmid: text(pmid) for pmid in PMIDS} if texts else None)
    return chunk(folder)


@pytest.mark.parametrize("texts", [False, True])
def test_an_index_says_for_each_pmid_its_row_and_text(texts: bool, tmp_path: Path) -> None:
    index = open_index(write(tmp_path, texts=texts), tmp_path / "indices")
    assert index[PMID].tolist() == sorted(PMIDS)
    assert [PMIDS[row] for row in index[ROW]] == sorted(PMIDS)
    wanted = [text_digest(*text(pmid)) if texts else 0 for pmid in sorted(PMIDS)]
    assert index[DIGEST].view(np.uint64).tolist() == wanted


def test_a_pmid_without_a_text_has_no_digest_and_a_text_without_a_vector_is_left_out(tmp_path: Path) -> None:
    texts = {pmid: text(pmid) for pmid in [2_000_000, 2_000_003, 7, 2_000_004, 2_999_999]}
    write_chunk(tmp_path / "chunks", 2, [2_000_009, 2_000_003, 2_000_000], texts)
    index = open_index(chunk(tmp_path), tmp_path / "indices")
    assert index[PMID].tolist() == [2_000_000, 2_000_003, 2_000_009]
    assert (index[DIGEST] == 0).tolist() == [False, False, True]


def test_an_index_is_made_once_and_mapped(tmp_path: Path) -> None:
    files = write(tmp_path, texts=True)
    open_index(files, tmp_path / "indices")
    [path] = (tmp_path / "indices").iterdir()
    made = path.stat().st_mtime_ns
    again = open_index(files, tmp_path / "indices")
    assert [path.stat().st_mtime_ns for path in (tmp_path / "indices").iterdir()] == [made]
    assert isinstance(again, np.memmap)
    assert not again.flags.writeable


@pytest.mark.parametrize("name", ["pmids", "texts"])
def test_another_size_or_time_of_a_source_makes_another_index(name: str, tmp_path: Path) -> None:
    files = write(tmp_path, texts=True)
    open_index(files, tmp_path / "indices")
    source: Path = getattr(files, name)
    os.utime(source, ns=(0, source.stat().st_mtime_ns + 1))
    open_index(files, tmp_path / "indices")
    content, time = source.read_text(), source.stat().st_mtime_ns
    source.write_text(f"{content}\n")
    os.utime(source, ns=(0, time))
    open_index(files, tmp_path / "indices")
    assert len(list((tmp_path / "indices").iterdir())) == 3


def test_texts_that_come_later_make_another_index(tmp_path: Path) -> None:
    assert not open_index(write(tmp_path, texts=False), tmp_path / "indices")[DIGEST].any()
    assert open_index(write(tmp_path, texts=True), tmp_path / "indices")[DIGEST].all()


def test_no_index_is_left_of_sources_that_are_refused(tmp_path: Path) -> None:
    files = write(tmp_path, texts=True)
    files.texts.write_bytes(files.texts.read_bytes()[:-9])
    with pytest.raises(IntegrityError):
        open_index(files, tmp_path / "indices")
    assert not (tmp_path / "indices").exists()


def test_a_broken_index_is_named(tmp_path: Path) -> None:
    files = write(tmp_path, texts=True)
    open_index(files, tmp_path / "indices")
    [path] = (tmp_path / "indices").iterdir()
    whole = path.read_bytes()
    for broken in (b"", whole[:20], whole[:-8], whole.replace(b"<i8", b"<f8")):
        path.write_bytes(broken)
        with pytest.raises(IntegrityError, match=rf"^{path}: .*; remove it and run the job again$"):
            open_index(files, tmp_path / "indices")


@pytest.mark.parametrize("kind", [str, int])
def test_pmids_are_strings_or_numbers(kind: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "pmids.json", [kind(pmid) for pmid in PMIDS])
    assert read_pmids(tmp_path / "pmids.json", 2).tolist() == PMIDS


@pytest.mark.parametrize(
    "value",
    [
        "3000000",
        1_999_999,
        -2_000_000,
        "",
        "x",
        "2000000.0",
        2000000.5,
        None,
        True,
        [2_000_001],
        "9" * 30,
        "\u0662000001",
    ],
)
def test_what_is_no_pmid_of_the_chunk_is_refused_with_its_value(value: object, tmp_path: Path) -> None:
    path = tmp_path / "pmids_chunk_2.json"
    write_json(path, [PMIDS[0], value])
    with pytest.raises(InputError) as caught:
        read_pmids(path, 2)
    assert str(caught.value) == (
        f"{path}: {value!r} is no PMID from 2000000 to 2999999, those of its chunk; remove it and fetch it again"
    )


def test_a_pmid_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_chunk(tmp_path / "chunks", 2, [*PMIDS, 2_000_003])
    with pytest.raises(InputError, match=r"pmids_chunk_2\.json: PMID 2000003 is there twice, with two vectors; "):
        open_index(chunk(tmp_path), tmp_path / "indices")


@pytest.mark.parametrize("content", ["[]", "{}", '{"1": 2}', "7", '"2000001"'])
def test_what_is_no_list_of_pmids_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "pmids.json"
    path.write_text(content)
    with pytest.raises(InputError, match=rf"^{path}: not a list of PMIDs; "):
        read_pmids(path, 2)


@pytest.mark.parametrize("content", [b"", b'["2000001", "20', b'["2000001"] x', b'["\xff"]'])
def test_a_broken_list_of_pmids_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pmids.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"^{path}: not whole JSON \(.*\); remove it and fetch it again$"):
        read_pmids(path, 2)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


@settings(max_examples=50)
@given(texts=st.dictionaries(st.integers(2_000_000, 2_000_050), st.tuples(TEXT, TEXT), min_size=1))
def test_all_texts_are_read(texts: dict[int, tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("texts")
    write_chunk(folder, 2, [2_000_000], texts)
    pmids, digests = read_digests(folder / "pubmed_chunk_2.json")
    assert pmids.tolist() == list(texts)
    assert digests.tolist() == [text_digest(*text) for text in texts.values()]


def test_a_text_may_be_null(tmp_path: Path) -> None:
    write_json(
        tmp_path / "texts.json", {"1": {"t": "Title", "a": None}, "2": {"t": None, "a": "Abstract", "more": [1]}}
    )
    digests = read_digests(tmp_path / "texts.json")[1]
    assert digests.tolist() == [text_digest("Title", ""), text_digest("", "Abstract")]


@pytest.mark.parametrize(
    "record", [{"t": "Title"}, {"a": "Abstract"}, {"t": 1, "a": ""}, {"t": "", "a": []}, [], "x", None]
)
def test_a_record_of_another_layout_is_refused_with_its_key(record: object, tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    write_json(path, {"1": {"t": "Title", "a": ""}, "2": record})
    with pytest.raises(InputError, match=rf"^{path}: record '2' has no title \(t\) and abstract \(a\) of text; "):
        read_digests(path)


@pytest.mark.parametrize("content", ["{}", "[]", "[[1]]", "3"])
def test_what_holds_no_records_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    path.write_text(content)
    with pytest.raises(InputError, match=rf"^{path}: no records"):
        read_digests(path)


@settings(max_examples=60)
@given(at=st.integers(0, 10_000))
def test_truncated_texts_are_named(at: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("texts")
    write_chunk(folder, 2, [2_000_000], dict.fromkeys(range(2_000_000, 2_000_009), ("\u00e4" * 9, "Abstract")))
    path = folder / "pubmed_chunk_2.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: at % len(whole)])
    with pytest.raises(IntegrityError, match=rf"^{path}: not whole JSON \(.*\), after record \d; remove it and fetch"):
        read_digests(path)


@pytest.mark.parametrize(
    "content", [b'{"1": {"t": "\xff", "a": ""}}', b'{"1": {"t": "", "a": ""}} {', b'{"1": }', b"x"]
)
def test_broken_texts_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"^{path}: not whole JSON \(.*\), after record \d; remove it and fetch"):
        read_digests(path)


def test_two_that_make_an_index_at_once_make_the_same(tmp_path: Path) -> None:
    files = write(tmp_path, texts=True)
    threads = [threading.Thread(target=open_index, args=(files, tmp_path / "indices")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list((tmp_path / "indices").iterdir())) == 1
    assert open_index(files, tmp_path / "indices")[PMID].tolist() == sorted(PMIDS)
