from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.embed.known.known_vectors import Known, KnownCounts
from retrieval.embed.known.published_chunks import PublishedChunks
from schemas.errors import InputError, IntegrityError
from tests.support.stores.published_chunk_files import DIMENSION, Texts, articles, text, vector, write_chunk, write_json

CHUNKS = {
    0: [7, 999_999, 12],
    2: [2_500_000, 2_000_000, 2_999_999, 2_000_003],
    10: [10_000_009, 10_000_001],
}
ALL = [pmid for pmids in CHUNKS.values() for pmid in pmids]


def write_all(folder: Path, *, texts: bool) -> None:
    for number, pmids in CHUNKS.items():
        write_chunk(folder / "chunks", number, pmids, {pmid: text(pmid) for pmid in pmids} if texts else None)


def published(folder: Path, dimension: int = DIMENSION) -> PublishedChunks:
    return PublishedChunks(folder / "chunks", folder / "indices", dimension)


def find(folder: Path, texts: Texts) -> Known:
    return published(folder).find(articles(texts))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds chunks with texts."""
    write_all(tmp_path, texts=True)
    return tmp_path


def test_chunks_are_numbered_with_gaps_in_numeric_order(folder: Path) -> None:
    assert PublishedChunks(folder / "chunks", folder / "indices", DIMENSION).numbers == [0, 2, 10]


def test_articles_of_several_chunks_get_their_vectors_in_the_order_asked(folder: Path) -> None:
    asked = [10_000_001, 2_999_999, 5, 12, 1_000_000, 2_000_000, 7, 40_000_000]
    known = find(folder, {pmid: text(pmid) for pmid in asked})
    assert [asked[row] for row in known.rows] == [10_000_001, 2_999_999, 12, 2_000_000, 7]
    assert known.vectors.dtype == np.float16
    assert np.array_equal(known.vectors, [vector(asked[row]) for row in known.rows])
    assert known.counts == KnownCounts(verified=5, missing=3)


@pytest.mark.parametrize("asked", [[], [5], [1_000_000, 11_000_000], [1 << 62]])
def test_of_articles_that_no_chunk_has_there_are_no_vectors(asked: list[int], folder: Path) -> None:
    known = find(folder, {pmid: text(pmid) for pmid in asked})
    assert known.rows.tolist() == []
    assert known.rows.dtype == np.intp
    assert known.vectors.shape == (0, DIMENSION)
    assert known.counts == KnownCounts(missing=len(asked))


def test_articles_in_several_arrow_chunks_are_found(folder: Path) -> None:
    table = pa.concat_tables([articles({pmid: text(pmid)}) for pmid in (2_000_003, 5, 2_000_000)])
    assert published(folder).find(table).rows.tolist() == [0, 2]


def test_a_text_that_is_typed_otherwise_is_the_same(folder: Path) -> None:
    known = find(folder, {7: ("[TITLE of 7]", "Abstract\nof 7, p &lt; 0.05")})
    assert known.counts == KnownCounts(verified=1)


@pytest.mark.parametrize(
    "changed", [("Title of 8.", text(7)[1]), (text(7)[0], "Abstract of 7, p > 0.05."), (text(7)[0], "")]
)
def test_an_article_of_another_text_is_stale(changed: tuple[str, str], folder: Path) -> None:
    known = find(folder, {12: text(12), 7: changed})
    assert known.rows.tolist() == [0]
    assert known.counts == KnownCounts(verified=1, stale=1)


def test_without_texts_vectors_are_unverified(tmp_path: Path) -> None:
    write_all(tmp_path, texts=False)
    known = find(tmp_path, {7: ("Another title", ""), 8: text(8)})
    assert known.rows.tolist() == [0]
    assert known.counts == KnownCounts(unverified=1, missing=1)


def test_some_chunks_may_have_texts(folder: Path) -> None:
    (folder / "chunks" / "pubmed_chunk_2.json").unlink()
    known = find(folder, dict.fromkeys([7, 12, 2_000_000], text(7)))
    assert known.rows.tolist() == [0, 2]
    assert known.counts == KnownCounts(verified=1, unverified=1, stale=1)


def test_a_vector_whose_text_is_not_there_is_stale(tmp_path: Path) -> None:
    write_chunk(tmp_path / "chunks", 0, [7, 8], {7: text(7)})
    assert find(tmp_path, {7: text(7), 8: text(8)}).counts == KnownCounts(verified=1, stale=1)


KINDS = st.sampled_from(["same", "typed otherwise", "changed"])


@settings(max_examples=40)
@given(
    held=st.sets(st.integers(1_999_990, 2_000_020), min_size=2),
    asked=st.dictionaries(st.integers(1_999_990, 2_000_020), KINDS, max_size=40),
    with_texts=st.sets(st.integers(1, 2)),
    seed=st.randoms(),
)
def test_finding_is_a_look_up(
    held: set[int], asked: dict[int, str], with_texts: set[int], seed: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("published")
    rows = {1: [p for p in held if p < 2_000_000], 2: [p for p in held if p >= 2_000_000]}
    for number, pmids in rows.items():
        if pmids:
            seed.shuffle(pmids)
            texts = {pmid: text(pmid) for pmid in pmids} if number in with_texts else None
            write_chunk(folder / "chunks", number, pmids, texts)
    typed: dict[str, Callable[[str], str]] = {
        "same": lambda t: t,
        "typed otherwise": str.upper,
        "changed": lambda t: f"{t} More",
    }
    known = find(folder, {p: (text(p)[0], typed[kind](text(p)[1])) for p, kind in asked.items()})

    def outcome(pmid: int, kind: str) -> str:
        if pmid not in held:
            return "missing"
        if pmid // 1_000_000 not in with_texts:
            return "unverified"
        return "stale" if kind == "changed" else "verified"

    outcomes = [outcome(*item) for item in asked.items()]
    wanted = [(i, pmid) for i, pmid in enumerate(asked) if outcomes[i].endswith("verified")]
    assert known.rows.tolist() == [i for i, _ in wanted]
    assert known.vectors.tolist() == [vector(pmid).tolist() for _, pmid in wanted]
    assert known.counts == KnownCounts(*(outcomes.count(name) for name in KnownCounts._fields))


def test_only_rows_that_are_wanted_are_read(tmp_path: Path) -> None:
    chunks, wanted = tmp_path / "chunks", 3
    chunks.mkdir()
    rows = np.ones((100_000, DIMENSION), np.float32)
    rows[wanted + 1 :: 2] = np.inf  # whoever reads one of these refuses it
    np.save(chunks / "embeds_chunk_0.npy", rows)
    write_json(chunks / "pmids_chunk_0.json", list(range(100_000)))
    assert find(tmp_path, {wanted: text(wanted), 50_001: text(1)}).vectors.tolist() == [[1.0] * DIMENSION] * 2


@pytest.mark.parametrize("value", [70_000.0, -np.inf, np.nan])
def test_a_vector_beyond_float16_is_refused_with_its_pmid(value: float, folder: Path) -> None:
    path = folder / "chunks" / "embeds_chunk_2.npy"
    vectors = np.load(path)
    vectors[1, 2] = value
    np.save(path, vectors)
    assert find(folder, {2_999_999: text(2_999_999)}).counts.verified == 1
    with pytest.raises(InputError, match=rf"^{path}: the vector of article 2000000 is beyond float16; "):
        find(folder, {pmid: text(pmid) for pmid in CHUNKS[2]})


@pytest.mark.parametrize(
    ("vectors", "found"),
    [
        (np.zeros((4, DIMENSION), ">f4"), r">f4 \(4, 4\)"),
        (np.zeros((4, DIMENSION), "<f8"), r"<f8 \(4, 4\)"),
        (np.zeros((4, DIMENSION), "<f2"), r"<f2 \(4, 4\)"),
        (np.zeros((4, DIMENSION + 1), "<f4"), r"<f4 \(4, 5\)"),
        (np.zeros(4, "<f4"), r"<f4 \(4,\)"),
        (np.zeros((), "<f4"), r"<f4 \(\)"),
        (np.asfortranarray(np.zeros((4, DIMENSION), "<f4")), r"<f4 \(4, 4\) column by column"),
    ],
    ids=str,
)
def test_vectors_of_another_kind_are_refused(vectors: Any, found: str, folder: Path) -> None:
    path = folder / "chunks" / "embeds_chunk_2.npy"
    np.save(path, vectors)
    with pytest.raises(InputError, match=rf"^{path}: {found}, the encoder's vectors are <f4 \(…, 4\); give those"):
        find(folder, {2_000_000: text(2_000_000)})


def test_vectors_of_another_encoder_are_refused(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"embeds_chunk_0\.npy: <f4 \(3, 4\), the encoder's vectors are <f4 \(…, 768\); "
    ):
        published(folder, 768).find(articles({7: text(7)}))


@pytest.mark.parametrize("change", [1, -1])
def test_a_list_that_is_not_as_long_as_the_vectors_is_refused(change: int, folder: Path) -> None:
    pmids = [*CHUNKS[0], 8][: len(CHUNKS[0]) + change]
    write_json(folder / "chunks" / "pmids_chunk_0.json", pmids)
    message = (
        rf"embeds_chunk_0\.npy: 3 vectors, but pmids_chunk_0\.json lists {len(pmids)} PMIDs; remove both and fetch"
    )
    with pytest.raises(IntegrityError, match=message):
        find(folder, {7: text(7)})


def test_a_pmid_of_another_chunk_is_refused_by_file_and_value(folder: Path) -> None:
    path = folder / "chunks" / "pmids_chunk_0.json"
    write_json(path, ["7", "1000000", "12"])
    with pytest.raises(InputError, match=rf"^{path}: '1000000' is no PMID from 0 to 999999, those of its chunk; "):
        find(folder, {7: text(7)})


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"x", lambda _: b""])
def test_a_broken_file_of_vectors_is_named(change: Callable[[bytes], bytes], folder: Path) -> None:
    path = folder / "chunks" / "embeds_chunk_0.npy"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(IntegrityError, match=rf"^{path}: .*; remove it and fetch it again$"):
        find(folder, {7: text(7)})


def test_prepare_checks_a_chunk_and_makes_its_index(folder: Path) -> None:
    chunks = PublishedChunks(folder / "chunks", folder / "indices", DIMENSION)
    chunks.prepare(2)
    assert [path.name.split("-")[0] for path in (folder / "indices").iterdir()] == ["chunk_2"]
    (folder / "chunks" / "embeds_chunk_10.npy").write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"embeds_chunk_10\.npy: not whole"):
        chunks.prepare(10)


def test_a_folder_without_chunks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^{tmp_path}/chunks: no such folder; "):
        published(tmp_path)
    (tmp_path / "chunks").mkdir()
    with pytest.raises(InputError, match=rf"^{tmp_path}/chunks: no embeds_chunk_<i>\.npy; "):
        published(tmp_path)
