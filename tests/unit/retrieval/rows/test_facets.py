from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles.article import article_batch
from retrieval.rows import facets as facets_module
from retrieval.rows.dates import NO_YEAR
from retrieval.rows.facets import Facets, FacetWriter, near_terms
from schemas.article import Article, MeshHeading, Term
from schemas.filters import fold
from schemas.layout import DAYS, POSTINGS, TERMS, YEARS
from tests.support.examples import examples

HEART, LUNG = MeshHeading("D006321", "Heart", True, ()), MeshHeading("D008168", "Lung", False, ())
REVIEW = Term("D016454", "Review")


def table(articles: Sequence[Article]) -> pa.Table:
    return pa.Table.from_batches([article_batch(articles)])


def written(folder: Path, *tables: pa.Table) -> Facets:
    folder.mkdir(exist_ok=True)
    writer = FacetWriter(folder)
    for articles in tables:
        writer.add(articles)
    writer.finish()
    return Facets(folder.joinpath, sum(map(len, tables)))


def facets_of(folder: Path, *articles: Article) -> Facets:
    return written(folder, table(articles))


def test_a_term_has_the_rows_of_its_articles(tmp_path: Path) -> None:
    facets = facets_of(
        tmp_path,
        Article(3, year=1999, languages=["eng", "fre"], mesh=[LUNG, HEART], abstract="Text."),
        Article(1, year=None, languages=["fre"], publication_types=[REVIEW], retracted=True),
        Article(2, year=2021, mesh=[HEART], publication_types=[REVIEW], abstract="Text."),
    )
    found = {
        (field, term): facets.rows_of(field, term).tolist()
        for field in ("language", "type", "mesh", "abstract", "retracted", "journal")
        for term in facets.terms(field)
    }
    assert found == {
        ("language", "eng"): [0],
        ("language", "fre"): [0, 1],
        ("type", "d016454"): [1, 2],
        ("type", "review"): [1, 2],
        ("mesh", "d006321"): [0, 2],
        ("mesh", "heart"): [0, 2],
        ("mesh", "d008168"): [0],
        ("mesh", "lung"): [0],
        ("abstract", "yes"): [0, 2],
        ("abstract", "no"): [1],
        ("retracted", "yes"): [1],
        ("retracted", "no"): [0, 2],
    }
    assert facets.years.tolist() == [1999, NO_YEAR, 2021]
    assert facets.rows_of("mesh", "kidney").dtype == np.uint32
    assert facets.rows_of("mesh", "kidney").size == facets.rows_of("language", "heart").size == 0


@pytest.mark.parametrize(
    "name",
    [
        "0255562",
        "The New England journal of medicine",
        "N. Engl. J. Med.",
        "N Engl J Med",
        "THE  NEW ENGLAND JOURNAL OF MEDICINE ",
    ],
)
def test_a_journal_is_found_by_its_nlm_id_its_title_and_its_abbreviation(name: str, tmp_path: Path) -> None:
    journal = Article(
        1, journal="The New England journal of medicine", journal_abbreviation="N Engl J Med", nlm_id="0255562"
    )
    facets = facets_of(
        tmp_path, Article(2, journal="Lancet"), journal._replace(journal_abbreviation="N. Engl. J. Med.")
    )
    assert facets.rows_of("journal", name).tolist() == [1]


def test_a_journal_is_found_by_each_of_its_issns_from_the_second_format_on(tmp_path: Path) -> None:
    articles = table(
        [
            Article(1, journal="A", nlm_id="1", issns=["1533-4406", "0028-4793"]),
            Article(2, journal="B", nlm_id="2"),
            Article(3, journal="A", nlm_id="1", issns=["0028-4793"]),
            Article(4, issns=["1234-567X", "1533-4406", "0000-0000"]),
        ]
    )
    facets = written(tmp_path / "new", articles)
    found = {issn: facets.rows_of("journal", issn).tolist() for issn in ("0028-4793", "1533-4406", "1234-567x")}
    assert found == {"0028-4793": [0, 2], "1533-4406": [0, 3], "1234-567x": [3]}
    assert facets.rows_of("journal", "A").tolist() == facets.rows_of("journal", "1").tolist() == [0, 2]
    (tmp_path / "old").mkdir()
    writer = FacetWriter(tmp_path / "old", 1)
    writer.add(articles)
    writer.finish()
    old = Facets((tmp_path / "old").joinpath, 4, 1)
    assert (old.terms("journal"), old.days) == (["1", "2", "a", "b"], None)


def test_thousands_of_journals_with_names_of_five_kinds_are_kept_apart(tmp_path: Path) -> None:
    articles = [
        Article(i, nlm_id=f"{i}", journal=f"J {i}", journal_abbreviation=f"A{i}", issns=[f"{i:04}-00", f"{i:04}-11"])
        for i in range(7000)  # whose product is more than an int64 holds
    ]
    facets = facets_of(tmp_path, *articles)
    for i in (0, 1, 3500, 6999):
        for name in (f"{i}", f"j {i}", f"a{i}", f"{i:04}-00", f"{i:04}-11"):
            assert facets.rows_of("journal", name).tolist() == [i]


def test_months_and_days_are_kept_beside_the_years(tmp_path: Path) -> None:
    facets = facets_of(tmp_path, Article(1, publication_date="2021-06-07", year=2021), Article(2, year=2020))
    assert facets.days is not None
    assert facets.days.tolist() == [6 << 5 | 7, 0]


def test_several_terms_are_looked_up_at_once(tmp_path: Path) -> None:
    facets = facets_of(tmp_path, Article(1, mesh=[HEART]), Article(2, mesh=[LUNG]), Article(3, mesh=[HEART, LUNG]))
    for terms in (["heart"], ["heart", "d006321"], ["heart", "kidney"]):
        assert [rows.tolist() for rows in facets.postings("mesh", terms)] == [[0, 2]]
    assert sorted(rows.tolist() for rows in facets.postings("mesh", ["lung", "heart", "d008168"])) == [[0, 2], [1, 2]]
    assert facets.postings("type", ["heart", "lung"]) == facets.postings("mesh", []) == []


def test_a_name_of_several_concepts_has_the_rows_of_all(tmp_path: Path) -> None:
    renamed = MeshHeading("D006321", "Cardia", False, ())
    namesake = MeshHeading("D999999", "heart", False, ())
    facets = facets_of(
        tmp_path,
        Article(1, mesh=[namesake]),
        Article(2, mesh=[HEART, renamed]),
        Article(3, mesh=[HEART, namesake]),
        Article(4, mesh=[renamed]),
    )
    assert facets.rows_of("mesh", "D006321").tolist() == [1, 2, 3]
    assert facets.rows_of("mesh", "Heart").tolist() == [0, 1, 2]
    assert facets.rows_of("mesh", "cardia").tolist() == [1, 3]
    assert facets.terms("mesh") == ["cardia", "d006321", "d999999", "heart"]


def test_an_article_that_says_a_thing_twice_counts_once(tmp_path: Path) -> None:
    twice = MeshHeading("d006321", "HEART", False, ())
    facets = facets_of(tmp_path, Article(1, mesh=[HEART, twice, HEART], languages=["eng", "eng"]))
    assert facets.rows_of("mesh", "heart").tolist() == facets.rows_of("language", "eng").tolist() == [0]


def test_names_that_are_missing_or_blank_are_no_terms(tmp_path: Path) -> None:
    facets = facets_of(tmp_path, Article(1, journal=" . ", mesh=[MeshHeading(None, "Heart", False, ())]))
    assert facets.terms("journal") == []
    assert facets.terms("mesh") == ["heart"]


def test_a_segment_without_rows_has_no_terms(tmp_path: Path) -> None:
    for folder, tables in (tmp_path / "a", []), (tmp_path / "b", [table([])]):
        facets = written(folder, *tables)
        assert facets.years.size == facets.rows_of("mesh", "heart").size == 0
        assert facets.terms("mesh") == []


NAMES = st.sampled_from(["a", "B", "b", "c d", "C. D", "\x1f", "b\0", "é"])
ARTICLES = st.builds(
    lambda **values: Article(1, **values),
    journal=NAMES,
    nlm_id=st.none() | NAMES,
    abstract=st.sampled_from(["", "x"]),
    year=st.none() | st.integers(1900, 2030),
    languages=st.lists(NAMES, max_size=3),
    mesh=st.lists(st.builds(MeshHeading, st.none() | NAMES, NAMES, st.just(False), st.just(())), max_size=4),
    retracted=st.booleans(),
)


@examples(35, whole=100)
@given(
    articles=st.lists(ARTICLES, max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=3),
    batch=st.integers(1, 9),
    block=st.integers(1, 99),
    slice_=st.integers(1, 9),
)
def test_the_files_depend_on_the_rows_alone_and_hold_all_their_names(
    articles: list[Article],
    cuts: list[int],
    batch: int,
    block: int,
    slice_: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("facets")
    whole = facets_of(folder / "whole", *articles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facets_module, "BATCH_ROWS", batch)
        patch.setattr(facets_module, "BLOCK_PAIRS", block)
        patch.setattr(facets_module, "SLICE_PAIRS", slice_)
        edges = [0, *sorted(cuts), len(articles)]
        written(folder / "cut", *(table(articles[a:b]) for a, b in pairwise(edges)))
    files = sorted(path.name for path in (folder / "cut").iterdir())
    assert files == sorted([YEARS, DAYS, TERMS, POSTINGS])
    for name in files:
        assert (folder / "whole" / name).read_bytes() == (folder / "cut" / name).read_bytes(), name
    for term in {fold(name) for article in articles for name in (article.journal, article.nlm_id or "")}:
        named = [row for row, a in enumerate(articles) if term in (fold(a.journal), fold(a.nlm_id or ""))]
        assert whole.rows_of("journal", term).tolist() == (named if term else [])
    for name in {heading.ui for article in articles for heading in article.mesh if heading.ui}:
        named = [
            r
            for r, a in enumerate(articles)
            if any(fold(name) in map(fold, (h.ui or "", h.descriptor)) for h in a.mesh)
        ]
        assert whole.rows_of("mesh", name).tolist() == (named if fold(name) else [])


def test_near_terms_are_those_that_hold_a_term_then_those_of_a_typing_error() -> None:
    known = ["diabetes mellitus", "diabetes mellitus, type 2", "disasters", "heart", "lung", "type 2 diabetes"]
    assert near_terms("Diabetis Melitus", known)[0] == "diabetes mellitus"
    assert near_terms("DIABETES", known) == ["type 2 diabetes", "diabetes mellitus", "diabetes mellitus, type 2"]
    assert near_terms("disaster", known) == ["disasters"]
    assert near_terms("xyzzy", known) == near_terms(" . ", known) == []
