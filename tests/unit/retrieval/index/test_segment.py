import json
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.store.local_store import LocalStore
from retrieval.files.checked import HEAD_BYTES, check_file
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.index.segment import OpenSegment, open_all, read_manifest
from retrieval.search.segment_search import search
from schemas.errors import IntegrityError, StoreError
from schemas.formats import FORMATS, NEWEST
from schemas.layout import ARTICLES, LISTS, PMIDS, ROWS, SEGMENT_MANIFEST, TERMS, TITLES
from schemas.manifest import Segment
from tests.support.stores import corpus

COUNT = 3000  # so many that two of the files are longer than their checked head


@pytest.fixture(scope="module")
def quantizer() -> Quantizer:
    return corpus.quantizer("IVF8,Flat", corpus.vectors(0, 400))


@pytest.fixture(scope="module")
def folder(quantizer: Quantizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One segment of COUNT rows; a test that breaks a file puts it right again."""
    path = tmp_path_factory.mktemp("segments") / "s"
    corpus.build(path, quantizer, corpus.vectors(1, COUNT), np.random.default_rng(0).permutation(9 * COUNT)[:COUNT])
    return path


def manifest_of(folder: Path) -> Segment:
    return read_manifest(LocalStore(str(folder.parent)), folder.name)


def refusal(folder: Path, quantizer: Quantizer, name: str, *, whole: bool) -> str | None:
    """Return how a segment, or only one file of it with `whole`, is refused, None if it is not."""
    manifest = manifest_of(folder)
    try:
        if whole:
            check_file(folder / name, manifest.files[name], whole=True)
        else:
            open_all([corpus.opened(folder, manifest, quantizer)])
    except IntegrityError as error:
        return str(error)
    return None


def test_the_fixture_is_good_and_longer_than_a_head(folder: Path, quantizer: Quantizer) -> None:
    assert set(manifest_of(folder).files) == set(FORMATS[NEWEST].files)
    assert all(
        refusal(folder, quantizer, name, whole=whole) is None
        for name in FORMATS[NEWEST].files
        for whole in (True, False)
    )
    assert (folder / LISTS).stat().st_size > 2 * HEAD_BYTES
    assert (folder / ROWS).stat().st_size > HEAD_BYTES


@settings(max_examples=60)
@given(name=st.sampled_from(FORMATS[NEWEST].files), where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_flipped_byte_is_refused_by_name(
    name: str, where: float, mask: int, folder: Path, quantizer: Quantizer
) -> None:
    path = folder / name
    good = path.read_bytes()
    flipped = bytearray(good)
    position = int(where * len(good))
    flipped[position] ^= mask
    path.write_bytes(flipped)
    try:
        assert (refusal(folder, quantizer, name, whole=True) or "").startswith(f"{path}: sha256 ")
        if position < HEAD_BYTES:
            assert (refusal(folder, quantizer, name, whole=False) or "").startswith(f"{path}: sha256 ")
    finally:
        path.write_bytes(good)


@settings(max_examples=40)
@given(name=st.sampled_from(FORMATS[NEWEST].files), where=st.floats(0, 1, exclude_max=True), whole=st.booleans())
def test_a_truncated_file_is_refused_by_name(
    name: str, where: float, whole: bool, folder: Path, quantizer: Quantizer
) -> None:
    path = folder / name
    good = path.read_bytes()
    path.write_bytes(good[: int(where * len(good))])
    try:
        message = refusal(folder, quantizer, name, whole=whole) or ""
        assert message.startswith(f"{path}: {int(where * len(good))} bytes, its manifest says {len(good)}")
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize("name", FORMATS[NEWEST].files)
def test_a_missing_file_is_refused_by_name(name: str, folder: Path, quantizer: Quantizer) -> None:
    good = (folder / name).read_bytes()
    (folder / name).unlink()
    try:
        assert refusal(folder, quantizer, name, whole=False) == (
            f"{folder / name}: file is missing; restore it from a copy"
        )
    finally:
        (folder / name).write_bytes(good)


@settings(max_examples=40)
@given(where=st.floats(0, 1, exclude_max=True))
def test_a_truncated_manifest_is_refused_by_name(
    where: float, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    good = (folder / SEGMENT_MANIFEST).read_bytes()
    other = tmp_path_factory.mktemp("manifest")
    (other / SEGMENT_MANIFEST).write_bytes(good[: int(where * len(good))])
    with pytest.raises(IntegrityError, match=rf"^{other}/{SEGMENT_MANIFEST}: not a Segment"):
        manifest_of(other)


def test_a_segment_of_an_older_format_has_the_files_of_that(quantizer: Quantizer, tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(1, 50), np.arange(50)
    older, newer = (corpus.build(tmp_path / str(f), quantizer, rows, pmids, format=f) for f in FORMATS)
    for number, segment in zip(FORMATS, (older, newer), strict=True):
        assert (segment.manifest.format, {*segment.manifest.files}) == (number, {*FORMATS[number].files})
        assert tuple(segment.articles.column_names) == FORMATS[number].columns
    assert older.facets.days is None
    assert newer.facets.days is not None
    for name in {*FORMATS[1].files} - {ARTICLES}:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_manifest_that_says_no_format_is_of_the_first(folder: Path) -> None:
    said = json.loads((folder / SEGMENT_MANIFEST).read_text())
    del said["format"]
    assert Segment.model_validate(said).format == 1


def test_a_segment_of_a_later_program_is_refused(folder: Path, quantizer: Quantizer) -> None:
    later = manifest_of(folder).model_copy(update={"format": NEWEST + 1})
    with pytest.raises(
        IntegrityError, match=rf"^{folder}: of format {NEWEST + 1}, by a later pubray; install that one"
    ):
        corpus.opened(folder, later, quantizer)


@pytest.mark.parametrize("name", [TERMS, TITLES])
def test_a_segment_of_an_earlier_program_is_refused(name: str, folder: Path, quantizer: Quantizer) -> None:
    manifest = manifest_of(folder)
    earlier = manifest.model_copy(update={"files": {n: d for n, d in manifest.files.items() if n != name}})
    with pytest.raises(IntegrityError, match=rf"^{folder}: of an earlier pubray, without {name}; run pubray index"):
        corpus.opened(folder, earlier, quantizer)


def test_a_segment_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"^segment {tmp_path} is not in the store: no file {tmp_path}/segment.json$"):
        manifest_of(tmp_path)


def test_the_manifest_read_is_the_one_written(folder: Path, quantizer: Quantizer) -> None:
    manifest = manifest_of(folder)
    assert (manifest.id, manifest.rows, manifest.dimension, manifest.nlist) == ("s", COUNT, corpus.DIMENSION, 8)
    assert manifest.code_size == quantizer.code_size


@pytest.mark.parametrize("metric", ["l2", "inner_product"])
def test_codes_and_search_are_those_of_a_plain_faiss_index(metric: str, tmp_path: Path) -> None:
    rows = corpus.vectors(3, 500, normalize=metric == "l2")
    data, _ = train_quantizer(rows, "IVF8,Flat", metric=metric, seed=0)
    quantizer = Quantizer(data)
    pmids = np.random.default_rng(3).permutation(5000)[:500]
    segment = corpus.build(tmp_path / "s", quantizer, rows, pmids)
    plain = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    plain.add_with_ids(rows.astype(np.float32), pmids)
    lists = faiss.extract_index_ivf(plain).invlists
    for number, size in enumerate(segment.sizes):
        ids = faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number))
        codes = faiss.rev_swig_ptr(lists.get_codes(number), len(ids) * plain.code_size).reshape(len(ids), -1)
        start = segment.sizes[:number].sum()
        assert segment.pmids[start : start + size].tolist() == np.sort(ids).tolist()
        assert segment.codes(number, number + 1).tolist() == codes[np.argsort(ids)].tolist()
    plain.nprobe = 3
    queries = corpus.queries(4, 20)
    expected, ids = plain.search(queries, 12)
    distances, found = segment.scanned.scan(quantizer.probe(queries, 3), 12, segment.alive)
    assert segment.pmids[found[:, :12]].tolist() == ids.tolist()
    assert distances[:, :12] == pytest.approx(expected if metric == "l2" else -expected, abs=1e-4)


def test_a_segment_without_rows_opens_and_finds_nothing(quantizer: Quantizer, tmp_path: Path) -> None:
    segment = corpus.build(tmp_path / "s", quantizer, corpus.vectors(0, 0), np.arange(0))
    _, found = segment.scanned.scan(quantizer.probe(corpus.queries(1, 2), 8), 5, segment.alive)
    assert found.shape == (2, 0)
    assert len(segment.articles) == segment.sizes.sum() == 0
    assert segment.codes(0, quantizer.nlist).shape == (0, quantizer.code_size)


def test_a_segment_is_its_files_and_its_manifest(quantizer: Quantizer, tmp_path: Path) -> None:
    rows, pmids = corpus.vectors(7, 50), np.arange(50)
    first, again = (corpus.build(tmp_path / name / "s", quantizer, rows, pmids) for name in ("first", "again"))
    assert again.manifest == first.manifest
    assert sorted(p.name for p in (tmp_path / "first" / "s").iterdir()) == sorted(
        [*FORMATS[NEWEST].files, SEGMENT_MANIFEST]
    )


def test_files_are_opened_when_they_are_asked_for(quantizer: Quantizer, tmp_path: Path) -> None:
    """Each file but the one in its turn is broken."""
    built = corpus.build(tmp_path / "s", quantizer, corpus.vectors(0, 50), np.arange(50))
    for name in built.manifest.files:
        (tmp_path / "s" / name).rename(tmp_path / name)
    reads: dict[str, Callable[[OpenSegment], object]] = {
        PMIDS: lambda segment: segment.pmids[0],
        ROWS: lambda segment: segment.vectors(np.array([3])),
        LISTS: lambda segment: segment.sizes,
        ARTICLES: lambda segment: segment.articles,
    }
    for name, read in reads.items():
        segment = corpus.opened(tmp_path / "s", built.manifest, quantizer)
        with pytest.raises(IntegrityError, match=f"{name}: file is missing"):
            read(segment)
        (tmp_path / name).rename(tmp_path / "s" / name)
        read(segment)
        (tmp_path / "s" / name).rename(tmp_path / name)


def test_vectors_are_read_one_by_one_where_few_are_wanted(quantizer: Quantizer, tmp_path: Path) -> None:
    built = corpus.build(tmp_path / "s", quantizer, corpus.vectors(0, 50), np.arange(50))
    sparse = OpenSegment(LocalStore(str(tmp_path)), "s", built.manifest, quantizer, sparse=True)
    for rows in ([], [0], [3, 3, 49]):
        assert np.array_equal(sparse.vectors(np.array(rows, np.int64)), built.rows[rows])
    assert "rows" not in vars(sparse)


def test_a_search_does_not_look_at_the_articles(quantizer: Quantizer, tmp_path: Path) -> None:
    segment = corpus.build(tmp_path / "s", quantizer, corpus.vectors(0, 50), np.arange(50))
    search(corpus.queries(1, 2), [segment], quantizer, nprobe=2, candidates=5)
    assert "articles" not in vars(segment)
    assert segment.display.read(np.array([3]))[0].title.startswith("Title")
    assert "articles" in vars(segment)
