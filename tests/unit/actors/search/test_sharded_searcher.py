"""Several shards answer exactly as one index does: ids, scores, filters, names, display fields, refusals."""

import asyncio
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.search.index_searcher import IndexSearcher
from actors.search.sharded_searcher import ShardedSearcher, VersionSearcher
from actors.store.local_store import LocalStore
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.index.segment_build import shard_of
from schemas.errors import InputError, IntegrityError, NotReadyError, PubrayError
from schemas.filter_text import parse_filter
from schemas.filters import Condition, Wanted
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleKey, Lookup
from tests.support.examples import examples
from tests.support.stores import corpus
from tests.support.stores.hand_made_version import Piece, write_pieces, write_version

TYPES = [("RR16,IVF8,RaBitQ", "l2"), ("IVF8,RaBitQ4", "inner_product"), ("IVF8,SQ8", "l2"), ("IVF8,Flat", "l2")]
FILTERS = ["", "year>=1996", "language=eng", "year=1993 and abstract=yes", "year=1066", "journal='Journal 3'"]
FILTERS += [
    "pmid in (3, 5, 7, 999)",
    "year=1993 or language=fre and pmid not in (5, 7)",
    "author='Author 1' or date<1995",
]
FILTERS += ["mesh=Heart or year=1993"]
TEXTS = [
    "",
    "PMID: 7",
    "editorial",
    "https://doi.org/10.1000/SAME",
    "title 9",
    "23",
    "statins",
    "23 7; 10.1000/same, 31",
    "10.1000/9.",
]


def sharded(store: LocalStore, version: IndexVersion, shards: int) -> ShardedSearcher:
    """Return searchers of each shard behind one, all of one process."""
    return ShardedSearcher([VersionSearcher(store, version, lambda: version, shard) for shard in range(shards)])


def built(store: LocalStore, seed: int, shards: int, kind: tuple[str, str]) -> tuple[IndexVersion, IndexVersion]:
    """Return two versions of the same rows, some of them dead: of several shards of two segments each, and of one."""
    pmids = np.random.default_rng(seed).permutation(150)
    rows = corpus.vectors(seed, 150, normalize=kind[1] == "l2")
    rows[100:110] = rows[0]
    records, dead = corpus.varied(pmids, seed), np.random.default_rng(seed + 1).random(150) < 0.2
    place = records.schema.get_field_index("journal")
    records = records.set_column(place, records.schema.field(place), pa.array([f"Journal {p // 2}" for p in pmids]))
    content, _ = train_quantizer(rows.astype(np.float32), kind[0], metric=kind[1], seed=0)
    shard, pieces = shard_of(pmids, shards), []
    for number in range(shards):
        for half in (slice(0, 75), slice(75, 150)):
            here = np.arange(150)[half][shard[half] == number]
            pieces.append(Piece(rows[here], pmids[here], dead[here], records.take(here)))
    several = write_pieces(store, content, pieces, nprobe=2, candidates=9)
    numbers = {f"s{i}": i // 2 for i in range(len(pieces))}
    segments = tuple(s.model_copy(update={"shard": numbers[s.id]}) for s in several.segments)
    return several.model_copy(update={"segments": segments}), several


@pytest.mark.parametrize("kind", TYPES, ids=str)
@examples(2, whole=12)
@given(data=st.data())
def test_shards_answer_as_one_index_does(kind: tuple[str, str], data: st.DataObject) -> None:
    seed, shards = data.draw(st.integers(0, 5)), data.draw(st.integers(1, 4))
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        several, whole = built(store, seed, shards, kind)
        queries = corpus.queries(seed + 1, 3)
        lookups = [
            Lookup(
                queries[data.draw(st.integers(0, 2))],
                data.draw(st.sampled_from([1, 5, 30, 200])),
                Wanted(parse_filter(data.draw(st.sampled_from(FILTERS))), retracted=data.draw(st.booleans())),
                data.draw(st.sampled_from(TEXTS)),
                whole.id,
            )
            for _ in range(data.draw(st.integers(1, 5)))
        ]
        alone, together = IndexSearcher(store, whole), sharded(store, several, shards)
        try:
            expected: Any = alone.matches(lookups)
        except InputError as error:
            expected = str(error)
        try:
            got: Any = asyncio.run(together.search(lookups))
        except InputError as error:
            got = str(error)
        assert got == expected
        ids = [*(str(pmid) for pmid in range(0, 160, 7)), "doi:10.1000/same", "10.1000/9.", "PMID: 999; 23"]
        found = asyncio.run(together.stored([ArticleKey(name, whole.id) for name in ids]))
        for one, other in zip(found, alone.articles(ids), strict=True):
            assert (one and one.article) == (other and other.article)
            assert (one and one.vector.tolist()) == (other and other.vector.tolist())


def test_a_term_that_only_another_shard_knows_is_no_misspelt_one() -> None:
    with tempfile.TemporaryDirectory() as folder:
        several, whole = built(LocalStore(folder), 0, 3, TYPES[-1])
        together, alone = sharded(LocalStore(folder), several, 3), IndexSearcher(LocalStore(folder), whole)
        refused = 0
        for number in range(75):
            wanted = Wanted(parse_filter(f'journal="Journal {number}"'), retracted=True)
            lookup = Lookup(corpus.queries(1, 1)[0], 5, wanted, "", whole.id)
            try:
                expected: Any = alone.matches([lookup])
            except InputError as error:
                refused += 1
                with pytest.raises(InputError) as raised:
                    asyncio.run(together.search([lookup]))
                assert str(raised.value) == str(error)
            else:
                assert asyncio.run(together.search([lookup])) == expected
        assert 0 < refused < 20  # whose articles are all dead


def test_a_shard_without_the_version_is_not_ready() -> None:
    with tempfile.TemporaryDirectory() as folder:
        several, _ = built(LocalStore(folder), 0, 2, TYPES[-1])
        with pytest.raises(NotReadyError, match="version v9 is not loaded"):
            asyncio.run(
                sharded(LocalStore(folder), several, 2).search([Lookup(corpus.queries(1, 1)[0], 5, version="v9")])
            )


QUERIES = corpus.queries(1, 12)


@dataclass
class Current:
    """What CURRENT names."""

    version: IndexVersion

    def __call__(self) -> IndexVersion:
        return self.version


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    return LocalStore(str(tmp_path_factory.mktemp("versions")))


@pytest.fixture(scope="module")
def versions(store: LocalStore) -> list[IndexVersion]:
    built = write_version(store, nprobe=8)
    return [built.model_copy(update={"id": f"v{n}", "nprobe": n}) for n in (1, 2, 3, 8)]


def lookups(*versions: IndexVersion) -> list[Lookup]:
    return [Lookup(QUERIES[i % len(QUERIES)], 5, version=version.id) for i, version in enumerate(versions)]


def test_each_lookup_is_answered_from_the_version_that_it_names(
    store: LocalStore, versions: list[IndexVersion]
) -> None:
    first, second = versions[:2]
    current = Current(first)
    searcher = VersionSearcher(store, first, current)
    current.version = second
    searcher._follower.look()
    asked = lookups(first, second, second, first)
    expected = [IndexSearcher(store, first if one.version == "v1" else second).matches([one])[0] for one in asked]
    assert asyncio.run(searcher.search(asked)) == expected
    pmid = str(expected[0][0].article.pmid)
    stored = asyncio.run(searcher.stored([ArticleKey(pmid, "v1"), ArticleKey("0", "v2"), ArticleKey(pmid, "v2")]))
    assert [one and str(one.article.pmid) for one in stored] == [pmid, None, pmid]


def test_two_versions_are_kept_and_a_rollback_needs_no_loading(store: LocalStore, versions: list[IndexVersion]) -> None:
    current = Current(versions[0])
    searcher = VersionSearcher(store, versions[0], current)
    for version in versions[1:3]:
        current.version = version
        searcher._follower.look()
    kept = dict(searcher._opened)
    assert [*kept] == ["v2", "v3"]
    with pytest.raises(NotReadyError, match="version v1 is not loaded: not yet"):
        asyncio.run(searcher.search(lookups(versions[0])))
    current.version = versions[1]
    searcher._follower.look()
    assert [*searcher._opened] == ["v3", "v2"]
    assert searcher._opened["v2"] is kept["v2"]


def test_a_version_that_cannot_be_loaded_is_named_without_the_stores_place(
    store: LocalStore, versions: list[IndexVersion]
) -> None:
    current = Current(versions[0])
    searcher = VersionSearcher(store, versions[0], current)
    segment = versions[1].segments[0]
    gone = segment.model_copy(update={"id": "gone"})
    current.version = versions[1].model_copy(update={"segments": (gone,)})
    searcher._follower.look()
    with pytest.raises(NotReadyError) as error:
        asyncio.run(searcher.search(lookups(versions[1])))
    assert "segments/gone/" in str(error.value)
    assert store.root not in str(error.value)
    assert len(asyncio.run(searcher.search(lookups(versions[0])))[0]) == 5


def test_a_replica_that_starts_while_current_is_broken_serves_the_version_that_it_was_given(
    store: LocalStore, versions: list[IndexVersion]
) -> None:
    def broken() -> IndexVersion:
        raise PubrayError("CURRENT is broken")

    assert [*VersionSearcher(store, versions[0], broken)._opened] == ["v1"]
    gone = versions[0].segments[0].model_copy(update={"id": "gone"})
    with pytest.raises(IntegrityError):
        VersionSearcher(store, versions[0].model_copy(update={"segments": (gone,)}), broken)


def test_a_refused_filter_is_refused(store: LocalStore, versions: list[IndexVersion]) -> None:
    searcher = VersionSearcher(store, versions[0], Current(versions[0]))
    strange = Wanted((Condition(field="mesh", op="=", value="Hearth"),))
    with pytest.raises(InputError, match="Hearth"):
        asyncio.run(searcher.search([Lookup(np.asarray(QUERIES[0]), 5, strange, version="v1")]))
