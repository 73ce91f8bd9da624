"""Filters as text, and as masks that say what a plain look at every article says."""

import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles.article import article_batch
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.index.segment import OpenSegment
from retrieval.rows.records import kept_of
from retrieval.search.filter_rows import check_known, check_terms, lists_to_probe, unknown_terms, wanted_rows
from retrieval.search.mesh_tree import MeshTree
from schemas.article import Article, Author, MeshHeading, Term
from schemas.errors import InputError
from schemas.filter_text import parse_filter
from schemas.filters import AllOf, AnyOf, Condition, Filter
from schemas.manifest import Segment
from tests.support.examples import examples
from tests.support.service.seams import VERSION
from tests.support.stores import corpus
from tests.unit.retrieval.rows import test_dates
from tests.unit.schemas.test_filter_text import groups
from tests.unit.schemas.test_filters import condition

HEADINGS = [
    MeshHeading("D1", "Heart", True, ()),
    MeshHeading("D1", "Cardia", False, ()),  # renamed
    MeshHeading("D2", "Lung", False, ()),
    MeshHeading(None, "heart", False, ()),
]
JOURNALS: list[dict[str, Any]] = [
    {"journal": "Lancet (London, England)", "journal_abbreviation": "Lancet", "nlm_id": "2985213R"},
    {
        "journal": "The New England journal",
        "journal_abbreviation": "N. Engl. J.",
        "nlm_id": "0255562",
        "issns": ["1533-4406", "0028-4793"],
    },
    {"journal": "The New England journal", "nlm_id": "0255562", "issns": ["0028-4793"]},
    {"journal": ""},
]
ARTICLES = st.builds(
    lambda journal, **values: Article(0, title="T", **journal, **values),
    st.sampled_from(JOURNALS),
    abstract=st.sampled_from(["", "Text."]),
    publication_date=st.sampled_from([None, "1998", "1999-02", "1999-02-28", "2000-12-31"]),
    authors=st.lists(
        st.sampled_from([Author("Smith", "John", "J"), Author("Smith", initials="JA"), Author(collective_name="WHO")]),
        max_size=2,
    ),
    languages=st.lists(st.sampled_from(["eng", "fre", "ger"]), max_size=2),
    publication_types=st.lists(st.sampled_from([Term("D9", "Review"), Term(None, "Editorial")]), max_size=2),
    mesh=st.lists(st.sampled_from(HEADINGS), max_size=3),
    retracted=st.booleans(),
).map(lambda article: article._replace(year=int(article.publication_date[:4]) if article.publication_date else None))
PMIDS = [99, 100, 103, 111, 10**17]
TREE = MeshTree("Organs\tA1\t\nHeart\tA1.1\tD1\nLung\tA1.2\t\n")
BELOW = {"organs": {"heart", "d1", "lung"}, "heart": {"d1"}, "d1": {"heart"}}
VALUES: dict[str, list[Any]] = {
    "year": [1997, 1998, 1999, 2000],
    "language": ["eng", "FRE", "lat"],
    "date": ["1998", "1999-02", "1999-02-28", "2000-12"],
    "author": ["smith j", "Smith, J. A.", "who", "Suharto"],
    "pmid": PMIDS,
    "journal": [
        "lancet",
        "1533-4406",
        "0028-4793",
        "N Engl J",
        "n. engl. j.",
        "0255562",
        "LANCET (London,  England)",
        "Nature",
    ],
    "type": ["review", "D9", "Editorial", "Letter"],
    "mesh": ["d1", "Heart", "HEART", "Cardia", "Lung", "D3", "Organs"],
    "abstract": ["yes", "No"],
    "retracted": ["Yes", "no"],
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(list(VALUES)))
    op = draw(
        st.sampled_from(["=", "!=", "in", "not in", *(["<", "<=", ">", ">="] if field in ("year", "date") else [])])
    )
    value = st.sampled_from(VALUES[field])
    return condition(field, op, draw(st.lists(value, min_size=1, max_size=3) if "in" in op else value))


FILTERS: st.SearchStrategy[Filter] = st.recursive(conditions(), groups, max_leaves=6)


def plain(name: str) -> str:
    return re.sub(r"[.\s]+", " ", name).strip().lower()


NAMES = {
    Author("Smith", "John", "J"): ["smith j"],
    Author("Smith", initials="JA"): ["smith ja", "smith j"],
    Author(collective_name="WHO"): ["who"],
}


def said(article: Article, field: str) -> set[str]:
    """All that a field of an article can be called."""
    names = {
        "language": article.languages,
        "journal": [article.journal, article.journal_abbreviation, article.nlm_id, *article.issns],
        "type": [name for term in article.publication_types for name in term],
        "mesh": [name for heading in article.mesh for name in heading[:2]],
        "author": [name for author in article.authors for name in NAMES[author]],
        "pmid": [str(article.pmid)],
        "abstract": ["yes" if article.abstract else "no"],
        "retracted": ["yes" if article.retracted else "no"],
    }
    return {plain(name) for name in names[field] if name}


def holds(article: Article, condition: Filter) -> bool:
    if isinstance(condition, AnyOf):
        return any(holds(article, part) for part in condition.any)
    if isinstance(condition, AllOf):
        return all(holds(article, part) for part in condition.all)
    if condition.field == "date":
        return test_dates.holds(article.publication_date, condition.op, [*condition.texts])
    if condition.field == "year" and condition.op[0] in "<>":
        compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[condition.op]
        return article.year is not None and compare(article.year, condition.value)
    if condition.field == "year":
        found = article.year in condition.values
    else:
        asked = {plain(text) for text in condition.texts}
        if condition.field == "mesh":
            asked = asked.union(*(BELOW.get(name, ()) for name in asked))
        elif condition.field == "author":
            asked = {"smith ja" if name == "smith, j a" else name for name in asked}
        found = not said(article, condition.field).isdisjoint(asked)
    return found == (condition.op in ("=", "in"))


@pytest.fixture(scope="module")
def quantizer() -> Quantizer:
    return corpus.quantizer("IVF2,Flat", corpus.vectors(0, 100))


@examples(18, whole=60)
@given(
    articles=st.lists(ARTICLES, min_size=1, max_size=24),
    pieces=st.integers(1, 3),
    wanted=st.lists(st.lists(FILTERS, max_size=3), min_size=1, max_size=8),
)
def test_after_build_and_merge_a_mask_says_what_every_article_says(
    articles: list[Article],
    pieces: int,
    wanted: list[list[Filter]],
    quantizer: Quantizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("filters")
    articles = [article._replace(pmid=pmid) for pmid, article in enumerate(articles, 100)]
    kept = kept_of(pa.Table.from_batches([article_batch(articles)]))
    rows, pmids = corpus.vectors(1, len(articles)), kept["pmid"].to_numpy()
    parts = [
        corpus.build(folder / str(i), quantizer, rows[i::pieces], pmids[i::pieces], kept.take(pa.array(mine)))
        for i in range(pieces)
        if len(mine := np.arange(len(articles))[i::pieces])
    ]
    merged = corpus.merge(folder / "merged", quantizer, parts)
    for all_of in wanted:
        expected = [a.pmid for a in articles if all(holds(a, one) for one in all_of)]
        assert sorted(merged.pmids[wanted_rows(all_of, merged, TREE)].tolist()) == expected
        assert sorted(p for s in parts for p in s.pmids[wanted_rows(all_of, s, TREE)].tolist()) == expected


Build = Callable[..., OpenSegment]


@pytest.fixture
def build(quantizer: Quantizer, tmp_path: Path) -> Build:
    def built(name: str, *articles: Article) -> OpenSegment:
        kept = kept_of(pa.Table.from_batches([article_batch(articles)]))
        rows = corpus.vectors(0, 1).repeat(len(articles), axis=0)  # of one list, so in order of PMID
        return corpus.build(tmp_path / name, quantizer, rows, kept["pmid"].to_numpy(), kept)

    return built


def test_a_term_is_unknown_only_where_no_segment_knows_it(build: Build) -> None:
    base = build("base", Article(1, mesh=HEADINGS[:2], year=1999, **JOURNALS[0]))
    delta = build("delta", Article(2, mesh=HEADINGS[2:3], languages=["eng"]))
    known = parse_filter("mesh in (d1, Lung) and journal=lancet and language!=ENG and year=3 and retracted=yes")
    assert unknown_terms(known, [base, delta]) == {}
    of_base, of_delta = (unknown_terms(known, [segment]) for segment in (base, delta))
    assert [*of_base] == [("mesh", "Lung"), ("language", "ENG")]
    check_terms([of_base, of_delta])
    with pytest.raises(InputError, match="no article has mesh 'Lung'"):
        check_terms([of_base])


def test_a_term_of_dead_rows_alone_is_unknown(build: Build) -> None:
    segment = build("s", Article(1, languages=["eng", "ger"]), Article(2, languages=["eng"]))
    segment.live[0] = False
    assert unknown_terms(parse_filter("language in (eng, ger)"), [segment]) == {("language", "ger"): ()}


def test_a_misspelt_term_is_refused_with_those_near_it(build: Build) -> None:
    base = build("base", Article(1, mesh=[MeshHeading("D003920", "Diabetes Mellitus", True, ())]))
    delta = build("delta", Article(2, mesh=[MeshHeading("D003919", "Diabetes Insipidus", True, ())]))
    misspelt = parse_filter('mesh not in ("Diabetes Mellitus", "Diabetes Melitus")')
    with pytest.raises(InputError) as error:
        check_terms([unknown_terms(misspelt, [segment]) for segment in (base, delta)])
    assert str(error.value) == (
        "filter: no article has mesh 'Diabetes Melitus'; near it: 'diabetes mellitus', 'diabetes insipidus'"
    )
    with pytest.raises(InputError, match=r"no article has journal 'Nature'; correct it, or leave the condition out$"):
        check_terms([unknown_terms(parse_filter("journal=Nature and mesh=x"), [base, delta])])


def test_terms_are_checked_in_whatever_group_they_are_and_pmids_and_dates_are_not(build: Build) -> None:
    segment = build("s", Article(7, languages=["eng"], authors=[Author("Smith", initials="JA")]))
    text = "pmid in (7, 8) or date=1066 and (language=eng or language=fre) and author='Smith J'"
    assert unknown_terms(parse_filter(text), [segment]) == {("language", "fre"): ()}
    assert unknown_terms(parse_filter("author=Smith or author='Smith JB'"), [segment]) == {
        ("author", "Smith"): (),
        ("author", "Smith JB"): (),
    }
    with pytest.raises(InputError, match=r"^filter: no article has author 'Smyth J'; correct it, or leave the"):
        check_terms([unknown_terms(parse_filter("author='Smyth J'"), [segment])])


def test_headings_of_the_tree_are_known_and_near_ones_are_told(build: Build) -> None:
    segment = build("s", Article(1, mesh=[MeshHeading("D9", "Kidney", True, ())]))
    assert unknown_terms(parse_filter("mesh in (Organs, lung, Kidney)"), [segment], TREE) == {}
    with pytest.raises(InputError, match=r"^filter: no article has mesh 'Lungs'; near it: 'lung'$"):
        check_terms([unknown_terms(parse_filter("mesh=Lungs"), [segment], TREE)])
    assert [*unknown_terms(parse_filter("mesh=Organs"), [segment])] == [("mesh", "Organs")]


def of_formats(*formats: int) -> tuple[Segment, ...]:
    return tuple(
        Segment(id=str(i), shard=0, rows=1, dimension=1, nlist=1, code_size=1, format=format, files={})
        for i, format in enumerate(formats)
    )


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("author='Smith J'", "author"),
        ("year=2020 or (mesh=x and author!='Smith J')", "author"),
        ("date>=2024-03", "date 2024-03, which is finer than a year,"),
        ("date in (2024, 2024-03-07)", "date 2024-03-07, which is finer than a year,"),
        ("journal=1533-4406", "journal 1533-4406, an ISSN,"),
    ],
)
def test_what_an_older_segment_lacks_is_refused(text: str, fact: str) -> None:
    filters, version = parse_filter(text), VERSION.model_copy(update={"segments": of_formats(2, 1)})
    with pytest.raises(InputError) as error:
        check_known(filters, version)
    assert str(error.value) == f"filter: {fact} is not known of all articles of version v1; run pubray index --full"
    check_known(filters, VERSION.model_copy(update={"segments": of_formats(2, 2)}))


def test_what_all_segments_have_is_searched_by() -> None:
    text = "year=2020 and date>=2024 and pmid=7 and journal=Lancet and mesh=x and retracted=yes and type=1533-4406"
    check_known(parse_filter(text), VERSION.model_copy(update={"segments": of_formats(1, 2)}))


@pytest.mark.parametrize(
    ("wanted", "live", "nlist", "expected"),
    [
        (0, 0, 256, None),
        (0, 33_000, 256, None),
        (2_248, 33_000, 256, None),  # 200 candidates and 8 for each of the 256 lists
        (2_249, 33_000, 256, 256),
        (16_500, 33_000, 256, 128),
        (33_000, 33_000, 256, 64),
        (50_000, 40_000_000, 65_536, None),
        (50_001, 40_000_000, 65_536, 51_199),  # rows lie far apart on the disk
        (40_000_000, 40_000_000, 65_536, 64),
    ],
)
def test_few_rows_are_read_and_of_many_as_many_looked_at_as_without_a_filter(
    wanted: int, live: int, nlist: int, expected: int | None
) -> None:
    assert lists_to_probe(wanted, live, nprobe=64, nlist=nlist, candidates=200) == expected
