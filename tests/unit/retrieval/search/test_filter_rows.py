"""Filters as text, and as masks that say what a plain look at every article says."""

import operator
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.articles.article import article_batch
from retrieval.index.centroids.quantizer import Quantizer
from retrieval.rows.facets import Facets, FacetWriter
from retrieval.rows.records import kept_of
from retrieval.search.filter_rows import check_terms, lists_to_probe, unknown_terms, wanted_rows
from schemas.article import Article, MeshHeading, Term
from schemas.errors import InputError
from schemas.filters import Condition, parse_filter
from tests.support.examples import examples
from tests.support.stores import corpus
from tests.unit.schemas.test_filters import condition

HEADINGS = [
    MeshHeading("D1", "Heart", True, ()),
    MeshHeading("D1", "Cardia", False, ()),  # renamed
    MeshHeading("D2", "Lung", False, ()),
    MeshHeading(None, "heart", False, ()),
]
JOURNALS: list[dict[str, Any]] = [
    {"journal": "Lancet (London, England)", "journal_abbreviation": "Lancet", "nlm_id": "2985213R"},
    {"journal": "The New England journal", "journal_abbreviation": "N. Engl. J.", "nlm_id": "0255562"},
    {"journal": ""},
]
ARTICLES = st.builds(
    lambda journal, **values: Article(0, title="T", **journal, **values),
    st.sampled_from(JOURNALS),
    abstract=st.sampled_from(["", "Text."]),
    year=st.sampled_from([None, 1998, 1999, 2000]),
    languages=st.lists(st.sampled_from(["eng", "fre", "ger"]), max_size=2),
    publication_types=st.lists(st.sampled_from([Term("D9", "Review"), Term(None, "Editorial")]), max_size=2),
    mesh=st.lists(st.sampled_from(HEADINGS), max_size=3),
    retracted=st.booleans(),
)
VALUES: dict[str, list[Any]] = {
    "year": [1997, 1998, 1999, 2000],
    "language": ["eng", "FRE", "lat"],
    "journal": ["lancet", "N Engl J", "n. engl. j.", "0255562", "LANCET (London,  England)", "Nature"],
    "type": ["review", "D9", "Editorial", "Letter"],
    "mesh": ["d1", "Heart", "HEART", "Cardia", "Lung", "D3"],
    "abstract": ["yes", "No"],
    "retracted": ["Yes", "no"],
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(list(VALUES)))
    op = draw(st.sampled_from(["=", "!=", "in", "not in", *(["<", "<=", ">", ">="] if field == "year" else [])]))
    value = st.sampled_from(VALUES[field])
    return condition(field, op, draw(st.lists(value, min_size=1, max_size=3) if "in" in op else value))


def plain(name: str) -> str:
    return re.sub(r"[.\s]+", " ", name).strip().lower()


def said(article: Article, field: str) -> set[str]:
    """All that a field of an article can be called."""
    names = {
        "language": article.languages,
        "journal": [article.journal, article.journal_abbreviation, article.nlm_id],
        "type": [name for term in article.publication_types for name in term],
        "mesh": [name for heading in article.mesh for name in heading[:2]],
        "abstract": ["yes" if article.abstract else "no"],
        "retracted": ["yes" if article.retracted else "no"],
    }
    return {plain(name) for name in names[field] if name}


def holds(article: Article, condition: Condition) -> bool:
    if condition.field == "year" and condition.op[0] in "<>":
        compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[condition.op]
        return article.year is not None and compare(article.year, condition.value)
    if condition.field == "year":
        found = article.year in condition.values
    else:
        found = not said(article, condition.field).isdisjoint(plain(str(value)) for value in condition.values)
    return found == (condition.op in ("=", "in"))


@pytest.fixture(scope="module")
def quantizer() -> Quantizer:
    return corpus.quantizer("IVF2,Flat", corpus.vectors(0, 100))


@examples(18, whole=60)
@given(
    articles=st.lists(ARTICLES, min_size=1, max_size=24),
    pieces=st.integers(1, 3),
    wanted=st.lists(st.lists(conditions(), max_size=3), min_size=1, max_size=8),
)
def test_after_build_and_merge_a_mask_says_what_every_article_says(
    articles: list[Article],
    pieces: int,
    wanted: list[list[Condition]],
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
        assert sorted(merged.pmids[wanted_rows(all_of, merged.facets)].tolist()) == expected
        assert sorted(p for s in parts for p in s.pmids[wanted_rows(all_of, s.facets)].tolist()) == expected


@dataclass
class Rows:
    """A segment without its vectors."""

    facets: Facets
    live: NDArray[np.bool_]


def rows_of(folder: Path, *articles: Article) -> Rows:
    folder.mkdir()
    writer = FacetWriter(folder)
    writer.add(pa.Table.from_batches([article_batch(articles)]))
    writer.finish()
    return Rows(Facets(folder, len(articles)), np.ones(len(articles), bool))


def test_a_term_is_unknown_only_where_no_segment_knows_it(tmp_path: Path) -> None:
    base = rows_of(tmp_path / "base", Article(1, mesh=HEADINGS[:2], year=1999, **JOURNALS[0]))
    delta = rows_of(tmp_path / "delta", Article(2, mesh=HEADINGS[2:3], languages=["eng"]))
    known = parse_filter("mesh in (d1, Lung) and journal=lancet and language!=ENG and year=3 and retracted=yes")
    assert unknown_terms(known, [base, delta]) == {}
    of_base, of_delta = (unknown_terms(known, [segment]) for segment in (base, delta))
    assert [*of_base] == [("mesh", "Lung"), ("language", "ENG")]
    check_terms([of_base, of_delta])
    with pytest.raises(InputError, match="no article has mesh 'Lung'"):
        check_terms([of_base])


def test_a_term_of_dead_rows_alone_is_unknown(tmp_path: Path) -> None:
    segment = rows_of(tmp_path / "s", Article(1, languages=["eng", "ger"]), Article(2, languages=["eng"]))
    segment.live[0] = False
    assert unknown_terms(parse_filter("language in (eng, ger)"), [segment]) == {("language", "ger"): ()}


def test_a_misspelt_term_is_refused_with_those_near_it(tmp_path: Path) -> None:
    base = rows_of(tmp_path / "base", Article(1, mesh=[MeshHeading("D003920", "Diabetes Mellitus", True, ())]))
    delta = rows_of(tmp_path / "delta", Article(2, mesh=[MeshHeading("D003919", "Diabetes Insipidus", True, ())]))
    misspelt = parse_filter('mesh not in ("Diabetes Mellitus", "Diabetes Melitus")')
    with pytest.raises(InputError) as error:
        check_terms([unknown_terms(misspelt, [segment]) for segment in (base, delta)])
    assert str(error.value) == (
        "filter: no article has mesh 'Diabetes Melitus'; near it: 'diabetes mellitus', 'diabetes insipidus'"
    )
    with pytest.raises(InputError, match=r"no article has journal 'Nature'; correct it, or leave the condition out$"):
        check_terms([unknown_terms(parse_filter("journal=Nature and mesh=x"), [base, delta])])


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
