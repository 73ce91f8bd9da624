import asyncio
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from retrieval.evaluate.truth import candidate_recall, recall
from retrieval.files.checked import write_named
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.index.exact import best_first, exact_search, inner_products
from retrieval.search import filter_rows
from schemas.errors import InputError, IntegrityError, StoreError
from schemas.filter_text import parse_filter
from schemas.filters import EVERYTHING, Condition, Wanted, leaves
from schemas.layout import LISTS, Layout
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup, Match
from schemas.search import SearchRequest
from tests.support.examples import examples
from tests.support.stores import corpus
from tests.support.stores.hand_made_version import PMIDS, ROWS, Piece, write_pieces, write_version

QUERIES = corpus.queries(1, 12)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    return LocalStore(str(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def version(store: LocalStore) -> IndexVersion:
    return write_version(store)


@pytest.fixture(scope="module")
def searcher(store: LocalStore, version: IndexVersion) -> IndexSearcher:
    return IndexSearcher(store, version)


def expected(k: int) -> list[list[int]]:
    _, rows = exact_search(QUERIES, corpus.vectors(0, ROWS), PMIDS, k)
    return [PMIDS[r].tolist() for r in rows]


def found(searcher: IndexSearcher, k: int) -> list[list[int]]:
    return [[m.article.pmid for m in matches] for matches in searcher.matches([Lookup(q, k) for q in QUERIES])]


def test_exact_search_and_probing_every_list_give_the_true_best(store: LocalStore, version: IndexVersion) -> None:
    everywhere = version.model_copy(update={"nprobe": 8, "candidates": ROWS})
    assert found(IndexSearcher(store, version, exact=True), 10) == expected(10)
    assert found(IndexSearcher(store, everywhere), 10) == expected(10)


def test_few_lists_find_most_but_not_all_of_the_best(searcher: IndexSearcher) -> None:
    overlap = [len(set(a) & set(b)) / 10 for a, b in zip(found(searcher, 10), expected(10), strict=True)]
    assert 0.5 < np.mean(overlap) < 1


@pytest.mark.parametrize("k", [1, 150, ROWS, 1000])
def test_there_are_k_hits_even_where_the_probed_lists_hold_fewer(searcher: IndexSearcher, k: int) -> None:
    for pmids in found(searcher, k):
        assert len(pmids) == min(k, ROWS)
        assert len(set(pmids)) == len(pmids)


def test_a_match_is_the_article_with_its_inner_product(searcher: IndexSearcher) -> None:
    rows = dict(zip(PMIDS.tolist(), corpus.vectors(0, ROWS).astype(np.float32), strict=True))
    [matches] = searcher.matches([Lookup(QUERIES[0], 20)])
    for match in matches:
        assert match.article.title == f"Title {match.article.pmid}"
        assert match.score == pytest.approx(float(rows[match.article.pmid] @ QUERIES[0]), abs=1e-5)
    assert [m.score for m in matches] == sorted((m.score for m in matches), reverse=True)


WISHES = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.sampled_from([1, 5, 30, 300]),
        st.sampled_from([Wanted(), EVERYTHING, Wanted(parse_filter("abstract=yes"))]),
    ),
    max_size=6,
)


@settings(max_examples=20)
@given(wishes=WISHES)
def test_a_lookup_does_not_depend_on_the_others(searcher: IndexSearcher, wishes: list[tuple[int, int, Wanted]]) -> None:
    lookups = [Lookup(QUERIES[q], k, wanted) for q, k, wanted in wishes]
    assert searcher.matches(lookups) == [searcher.matches([lookup])[0] for lookup in lookups]


def test_search_is_matches_off_the_event_loop(searcher: IndexSearcher) -> None:
    lookups = [Lookup(q, 3) for q in QUERIES]
    assert asyncio.run(searcher.search(lookups)) == searcher.matches(lookups)


@pytest.mark.parametrize("nprobe", [1, 2, 8])
def test_recall_by_candidates_is_that_by_their_exact_scores(
    nprobe: int, store: LocalStore, version: IndexVersion
) -> None:
    narrow = version.model_copy(update={"nprobe": nprobe, "candidates": 20})
    queries, searcher = corpus.queries(5, 40), IndexSearcher(store, narrow)
    true = [best.pmids for best in IndexSearcher(store, narrow, exact=True).candidates(queries, 100)]
    ordered = [found.pmids for found in searcher.candidates(queries, 20)]
    for k in (1, 5, 20):
        assert candidate_recall(searcher.nearest_pmids(queries, 20), true, k) == recall(ordered, true, k)


def test_a_quantizer_that_is_not_there_is_named(store: LocalStore, version: IndexVersion) -> None:
    with pytest.raises(StoreError, match="quantizer abc is not in the store"):
        IndexSearcher(store, version.model_copy(update={"quantizer": "abc"}))


def test_a_truncated_file_is_refused_by_name_at_open(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    path = store.path(Layout.segment("s1")) / LISTS
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=str(path)):
        IndexSearcher(store, version)


TYPES = [
    ("RR16,IVF8,RaBitQ", "l2"),
    ("IVF8,RaBitQ4", "inner_product"),
    ("RR16,IVF8,PQ4x4np", "inner_product"),
    ("IVF8,SQ8", "l2"),
    ("IVF8,Flat", "l2"),
]
CONDITIONS = st.sampled_from(
    [
        "",
        "year>=1996",
        "year!=1995",
        "year in (1991, 1993)",
        "language=eng",
        "language!=eng",
        "language in (ger, fre) and year<1997",
        "retracted=yes",
        "abstract=no and year=1994",
        "abstract=yes",
    ]
)


def holds(condition: Condition, record: dict[str, Any]) -> bool:
    """Look at one article, field by field."""
    if condition.field == "year" and condition.op in ("<", ">="):
        year, value = record["year"], int(condition.values[0])
        return year is not None and (year < value if condition.op == "<" else year >= value)
    has = {
        "year": {record["year"]},
        "language": {*record["languages"]},
        "retracted": {"yes" if record["retracted"] else "no"},
        "abstract": {"yes" if record["abstract"] else "no"},
    }[condition.field]
    return bool(has & {*condition.values}) != (condition.op in ("!=", "not in"))


@pytest.mark.parametrize(("factory", "metric"), TYPES)
@examples(3, whole=6)
@given(
    seed=st.integers(0, 10_000),
    pieces=st.integers(1, 4),
    share=st.sampled_from([0, 0.1, 0.6]),
    rules=st.tuples(st.integers(1, 8), st.integers(1, 40)) | st.just((8, 1000)),
    text=CONDITIONS,
    retracted=st.booleans(),
    may_read=st.booleans(),
    exact=st.booleans(),
)
def test_a_filter_finds_the_best_wanted_articles_however_the_rows_are_divided(
    factory: str,
    metric: str,
    seed: int,
    pieces: int,
    share: float,
    rules: tuple[int, int],
    text: str,
    retracted: bool,
    may_read: bool,
    exact: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Design invariants 1, 3 and 5: any division, with dead rows or without, answers as a plain look does."""
    rng, count, (nprobe, candidates) = np.random.default_rng(seed), 200, rules
    rows, pmids = corpus.vectors(seed, count, normalize=metric == "l2"), rng.permutation(5_000)[:count]
    rows[100:115] = rows[5]  # ties, at the cut too
    records, dead = corpus.varied(pmids, seed), rng.random(count) < share
    piece, none = rng.integers(0, pieces, count), np.zeros(count, bool)
    content, _ = train_quantizer(rows.astype(np.float32), factory, metric=metric, seed=0)
    divided = [
        Piece(rows[m], pmids[m], dead[m], records.filter(pa.array(m))) for i in range(pieces) if any(m := piece == i)
    ]
    whole = Piece(rows[~dead], pmids[~dead], none[~dead], records.filter(pa.array(~dead)))
    folder = tmp_path_factory.mktemp("filters")
    queries = np.concatenate([corpus.queries(seed, 3), rows[5:6].astype(np.float32)])
    wanted = SearchRequest(query="x", filters=parse_filter(text), include_retracted=retracted).wanted
    articles = [record for record, gone in zip(records.to_pylist(), dead, strict=True) if not gone]
    allowed = {a["pmid"] for a in articles if all(holds(one, a) for one in leaves(wanted.conditions))}
    answers = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filter_rows, "MAX_READ", count if may_read else -1)
        for name, parts in (("divided", divided), ("whole", [whole])):
            store = LocalStore(str(folder / name))
            version = write_pieces(store, content, parts, nprobe=nprobe, candidates=candidates)
            searcher = IndexSearcher(store, version, exact=exact)
            answers.append([(c.pmids[:10], c.scores[:10]) for c in searcher.candidates(queries, 10, wanted)])
    for query, (found, scores), (same, same_scores) in zip(queries, *answers, strict=True):
        assert (found.tolist(), scores.tolist()) == (same.tolist(), same_scores.tolist())
        assert {*found.tolist()} <= allowed
        if not retracted and "retracted" not in text:
            assert not any(a["retracted"] for a in articles if a["pmid"] in found)
        assert len({*found.tolist()}) == len(found) == min(10, len(allowed))
        if exact or (candidates == 1000 and nprobe == 8):
            mine = np.isin(pmids, [*allowed])
            order = best_first(inner_products(query, rows[mine]), pmids[mine], 10)
            assert found.tolist() == pmids[mine][order].tolist()


def test_terms_are_checked_over_all_segments(store: LocalStore, tmp_path: Path) -> None:
    pieces = [
        Piece(
            corpus.vectors(i, 40),
            np.arange(40) + 100 * i,
            np.zeros(40, bool),
            corpus.varied(np.arange(40) + 100 * i, i),
        )
        for i in range(2)
    ]
    content, _ = train_quantizer(pieces[0].rows.astype(np.float32), "IVF2,Flat", metric="l2", seed=0)
    searcher = IndexSearcher(
        LocalStore(str(tmp_path)), write_pieces(LocalStore(str(tmp_path)), content, pieces, nprobe=1, candidates=9)
    )
    lookups = [Lookup(QUERIES[0], 3, Wanted(parse_filter(text))) for text in ("language=ger", "language=germ")]
    assert len(searcher.matches(lookups[:1])[0]) == 3
    with pytest.raises(InputError, match=r"^filter: no article has language 'germ'; near it: 'ger'$"):
        searcher.matches(lookups)


def test_retracted_articles_are_found_by_their_type(tmp_path: Path) -> None:
    pmids, rows = np.arange(1, 41), corpus.vectors(0, 40)
    records = corpus.varied(pmids, 0)
    place = records.schema.get_field_index("publication_types")
    types = [
        [{"ui": "D016441", "name": "Retracted Publication"}] if r else [] for r in records["retracted"].to_pylist()
    ]
    records = records.set_column(place, records.schema.field(place), pa.array(types, records.schema.field(place).type))
    content, _ = train_quantizer(rows.astype(np.float32), "IVF2,Flat", metric="l2", seed=0)
    version = write_pieces(
        LocalStore(str(tmp_path)), content, [Piece(rows, pmids, np.zeros(40, bool), records)], nprobe=1, candidates=9
    )
    searcher = IndexSearcher(LocalStore(str(tmp_path)), version)
    retracted = {record["pmid"] for record in records.to_pylist() if record["retracted"]}
    assert retracted
    for text in ('type = "Retracted Publication"', "type in ('retracted publication', D016441)", "retracted=yes"):
        wanted = SearchRequest.model_validate({"query": "x", "filters": text}).wanted
        assert {match.article.pmid for match in searcher.matches([Lookup(QUERIES[0], 40, wanted)])[0]} == retracted


def test_what_an_old_segment_lacks_is_refused_with_the_version(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    version = write_version(store)
    old = [segment.model_copy(update={"format": 1}) for segment in version.segments[:1]]
    mixed = IndexSearcher(store, version.model_copy(update={"segments": (*old, *version.segments[1:])}))
    for text in ("author='Lovelace A'", "year=1 or (date>=2024-03 and mesh=x)", "journal!=1533-4406"):
        with pytest.raises(InputError, match=r" is not known of all articles of version v1; run pubray index --full$"):
            mixed.matches([Lookup(QUERIES[0], 3, Wanted(parse_filter(text)))])
    assert mixed.matches([Lookup(QUERIES[0], 3, Wanted(parse_filter("date<2024")))]) == [[]]


def test_the_mesh_tree_of_a_version_takes_in_narrower_headings(tmp_path: Path) -> None:
    store, pmids = LocalStore(str(tmp_path)), np.arange(1, 41)
    records = corpus.articles(pmids)
    place = records.schema.get_field_index("mesh")
    headings = [[{"descriptor": "Heart" if pmid % 2 else "Lung", "major": True}] for pmid in pmids]
    records = records.set_column(
        place, records.schema.field(place), pa.array(headings, records.schema.field(place).type)
    )
    content, _ = train_quantizer(corpus.vectors(0, 40).astype(np.float32), "IVF2,Flat", metric="l2", seed=0)
    piece = Piece(corpus.vectors(0, 40), pmids, np.zeros(40, bool), records)
    plain = write_pieces(store, content, [piece], nprobe=2, candidates=9)
    tree = write_named(store, Layout.mesh_tree, b"Organs\tA01\t\nHeart\tA01.1\t\nLiver\tA01.2\t\n")
    searcher = IndexSearcher(store, plain.model_copy(update={"mesh_tree": tree}))
    for text, odd in (("mesh=organs", 1), ("mesh!=Organs", 0), ("mesh in (Liver, heart)", 1)):
        [matches] = searcher.matches([Lookup(QUERIES[0], 40, Wanted(parse_filter(text)))])
        assert {match.article.pmid for match in matches} == {pmid for pmid in pmids.tolist() if pmid % 2 == odd}
    assert searcher.matches([Lookup(QUERIES[0], 40, Wanted(parse_filter("mesh=Liver")))]) == [[]]
    with pytest.raises(InputError, match=r"no article has mesh 'Organs'; correct it"):
        IndexSearcher(store, plain).matches([Lookup(QUERIES[0], 3, Wanted(parse_filter("mesh=Organs")))])


def test_a_filter_that_nothing_holds_for_finds_nothing(searcher: IndexSearcher) -> None:
    assert searcher.matches([Lookup(QUERIES[0], 3, Wanted(parse_filter("year=1066")))]) == [[]]


@pytest.mark.parametrize(("exact", "told"), [(False, True), (True, False)])
def test_rows_that_are_read_here_and_there_are_not_read_ahead(exact: bool, told: bool, tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    searcher = IndexSearcher(store, write_version(store), exact=exact)
    assert all(len(segment.rows) for segment in searcher.segments)
    mappings = Path("/proc/self/smaps").read_text().split("VmFlags:")
    flags = [
        after.split("\n")[0] for before, after in pairwise(mappings) if f"{tmp_path}/segments/s0/rows.f16" in before
    ]
    assert [" rr" in flag for flag in flags] == [told]


def two_segments(store: LocalStore, seed: int) -> tuple[IndexSearcher, list[dict[str, Any]]]:
    """Return a searcher over two segments with dead rows, and the live records."""
    pmids = np.random.default_rng(seed).permutation(80)
    rows, records, dead = corpus.vectors(seed, 80), corpus.varied(pmids, seed), np.arange(80) % 5 == 0
    halves = [slice(0, 40), slice(40, 80)]
    pieces = [Piece(rows[half], pmids[half], dead[half], records[half]) for half in halves]
    content, _ = train_quantizer(rows.astype(np.float32), "IVF2,Flat", metric="l2", seed=0)
    searcher = IndexSearcher(store, write_pieces(store, content, pieces, nprobe=1, candidates=9))
    return searcher, [record for record, gone in zip(records.to_pylist(), dead, strict=True) if not gone]


def test_live_articles_are_looked_up_by_their_ids_with_their_vectors(tmp_path: Path) -> None:
    searcher, live = two_segments(LocalStore(str(tmp_path)), 0)
    articles, pmids = {record["pmid"]: record for record in live}, np.random.default_rng(0).permutation(80)
    asked = [str(pmid) for pmid in [5, *range(90), 5]]
    for name, stored in zip(asked, searcher.articles(asked), strict=True):
        assert (stored is not None) == (int(name) in articles)
        if stored:
            assert stored.article.id == name
            assert [*stored.article.authors] == articles[int(name)]["authors"]
            assert stored.article.retracted == articles[int(name)]["retracted"]
            assert stored.vector.dtype == np.float32
            row = corpus.vectors(0, 80)[pmids.tolist().index(int(name))]
            assert stored.vector.tolist() == row.astype(np.float32).tolist()
    assert searcher.articles([]) == []
    assert searcher.articles(["007", "MED-1", "", "٣"]) == [None] * 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("wanted", [EVERYTHING, Wanted(), Wanted(parse_filter("year>=1995"))])
def test_the_wanted_live_article_of_the_lowest_pmid_is_named(seed: int, wanted: Wanted, tmp_path: Path) -> None:
    searcher, live = two_segments(LocalStore(str(tmp_path)), seed)
    allowed = [record for record in live if all(holds(one, record) for one in leaves(wanted.conditions))]
    for text, field, value in (
        ("[editorial]", "title", "Editorial."),
        ("https://doi.org/10.1000/SAME", "doi", "10.1000/same"),
        ("PMID: 7", "pmid", 7),
        ("title 9", "title", "Title 9"),
        ("nothing of the kind", "title", "nothing"),
    ):
        named = searcher.named(text, QUERIES[0], wanted)
        lowest = min((record["pmid"] for record in allowed if record[field] == value), default=None)
        assert [one.pmid for one in named] == ([] if lowest is None else [lowest])
        for one in named:
            [stored] = searcher.articles([str(lowest)])
            assert stored
            assert one.match == Match(one.match.score, stored.article, named=True)
            assert one.match.score == pytest.approx(float(stored.vector @ QUERIES[0]), abs=1e-5)


def test_an_article_is_looked_up_by_any_spelling_of_its_identifier(tmp_path: Path) -> None:
    searcher, live = two_segments(LocalStore(str(tmp_path)), 0)
    for record in live:
        pmid, doi = record["pmid"], record["doi"] or "10.1000/none"
        lowest = min((other["pmid"] for other in live if other["doi"] == doi), default=None)
        texts = [f"PMID: {pmid}.", f"https://doi.org/{doi.replace('/', '%2F')}?x", f"{doi}; {pmid}"]
        found = [stored and stored.article.pmid for stored in searcher.articles(texts)]
        if pmid:
            assert found == [pmid, lowest, pmid if lowest is None else lowest]
    assert searcher.articles([live[0]["title"] or "Editorial.", "PMC1"]) == [None, None]


def test_several_named_articles_come_first_in_the_order_given_and_each_once(searcher: IndexSearcher) -> None:
    first, second = (int(pmid) for pmid in PMIDS[[7, 3]])
    text = f"PMID: {first}; 99999999, https://doi.org/10.1000/{second}\n{first}"
    [plain, found] = searcher.matches([Lookup(QUERIES[0], 20), Lookup(QUERIES[0], 20, name=text)])
    assert [match.article.pmid for match in found[:2]] == [first, second]
    assert [match.named for match in found] == [True, True, *[False] * 18]
    assert found[2:] == [match for match in plain if match.article.pmid not in (first, second)][:18]
    assert len(searcher.matches([Lookup(QUERIES[0], 1, name=text)])[0]) == 1


def test_a_number_that_is_no_pmid_may_be_a_title(tmp_path: Path) -> None:
    store, records = LocalStore(str(tmp_path)), corpus.articles(np.arange(1, 41))
    titles = pa.array(["1984", "2"] + ["x"] * 38)
    records = records.set_column(records.schema.get_field_index("title"), records.schema.field("title"), titles)
    rows = corpus.vectors(0, 40)
    content, _ = train_quantizer(rows.astype(np.float32), "IVF2,Flat", metric="l2", seed=0)
    piece = Piece(rows, np.arange(1, 41), np.zeros(40, bool), records)
    searcher = IndexSearcher(store, write_pieces(store, content, [piece], nprobe=1, candidates=9))
    found = [searcher.named(text, QUERIES[0], EVERYTHING) for text in ("1984", "2", "41")]
    assert [[one.pmid for one in named] for named in found] == [[1], [2], []]


def test_the_named_article_comes_first_with_its_own_score_and_once(searcher: IndexSearcher) -> None:
    [plain] = searcher.matches([Lookup(QUERIES[0], 20)])
    for place in (0, 3, 19):
        name = str(plain[place].article.pmid)
        [first, *others] = searcher.matches([Lookup(QUERIES[0], 20, name=name)])[0]
        assert first == plain[place]._replace(named=True)
        assert others == [match for match in plain if match.article.pmid != int(name)]
    far = next(str(pmid) for pmid in PMIDS if pmid not in {match.article.pmid for match in plain})
    found = searcher.matches([Lookup(QUERIES[0], 20, name=f"Title {far}")])[0]
    assert (str(found[0].article.pmid), found[0].named, found[1:]) == (far, True, plain[:19])


def test_warming_reads_every_list(tmp_path: Path) -> None:
    store, rows, pmids = LocalStore(str(tmp_path)), corpus.vectors(0, 6000), np.arange(1, 6001)
    content, _ = train_quantizer(rows.astype(np.float32), "IVF64,Flat", metric="l2", seed=0)
    piece = Piece(rows, pmids, np.zeros(6000, bool), corpus.articles(pmids))
    searcher = IndexSearcher(store, write_pieces(store, content, [piece], nprobe=1, candidates=9))
    before, pages = resident(tmp_path), sum(-(-s.manifest.files[LISTS].bytes // 4096) for s in searcher.segments)
    searcher.warm()
    assert before < pages * 4
    assert resident(tmp_path) >= pages * 4


def resident(folder: Path) -> int:
    """Kilobytes of lists below a folder that this process has in its memory, each segment's once."""
    found: dict[str, int] = {}
    for part in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
        head, *lines = part.splitlines()
        if str(folder) in head and head.endswith(LISTS):
            [size] = [int(line.split()[1]) for line in lines if line.startswith("Rss:")]
            found[head.split()[-1]] = max(found.get(head.split()[-1], 0), size)
    return sum(found.values())
