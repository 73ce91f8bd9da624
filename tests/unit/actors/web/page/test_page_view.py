from http import HTTPStatus
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from actors.web.page.page_address import HITS, LAST_PAGE, AskedSearch, read_address
from actors.web.page.page_view import TITLE_CHARS, View, answered, failed, pubmed, read_form, shortened, shown
from schemas.search import Highlights, Hit, SearchResponse, VersionInfo

INFO = VersionInfo(
    version="v1",
    created="2026-01-01T00:00:00+00:00",
    articles=6,
    snapshot="s1",
    encoder="tiny",
    reranker="favours",
    recall_at_10=0.97,
)


def hit(id_: str = "7", **fields: Any) -> Hit:
    known = {"rank": 1, "score": 0.5, "score_kind": "fused", "comparable": False, "retrieval_score": 0.4}
    return Hit(id=id_, rerank_score=None, named=False, **(known | fields))


def asked_for(address: str) -> tuple[AskedSearch, QueryParams]:
    parameters = QueryParams(address)
    asked, _ = read_address(parameters)
    assert asked is not None
    return asked, parameters


def answer(address: str, hits: int) -> View:
    asked, parameters = asked_for(address)
    response = SearchResponse(
        query=asked.request.queries[0],
        version="v1",
        hits=tuple(hit(str(i), rank=i) for i in range(1, hits + 1)),
        reranked=False,
        degraded=None,
        milliseconds={"search": 1.5, "fuse": 0.5},
    )
    return answered(asked, read_form(parameters), INFO, response)


def failure(address: str, status: HTTPStatus) -> list[str]:
    asked, parameters = asked_for(address)
    return [link.text for link in failed(asked, read_form(parameters), INFO, status, "why").advice]


@pytest.mark.parametrize("id_", ["", "0", "07", "PMC7", "7/../8", "1234567890", "7\n"])
def test_an_id_that_is_no_pmid_is_not_on_pubmed(id_: str) -> None:
    assert pubmed(id_) == ""


@pytest.mark.parametrize(
    ("retracted", "corrections", "flags"),
    [
        (False, None, ()),
        (False, ["CommentIn", "ErratumFor"], ()),
        (False, ["ErratumIn", "ErratumIn", "ExpressionOfConcernIn"], ("Expression of concern", "Erratum")),
        (False, ["RetractionOf"], ("Retraction notice",)),
        (True, ["RetractionIn", "ErratumIn"], ("Retracted", "Erratum")),
        (True, None, ("Retracted",)),
    ],
)
def test_what_became_of_an_article_stands_before_its_title(
    retracted: bool, corrections: list[str] | None, flags: tuple[str, ...]
) -> None:
    related = [{"type": kind, "pmid": 8} for kind in corrections] if corrections else None
    assert shown(hit(title="T", abstract="", retracted=retracted, corrections=related)).flags == flags


def test_a_retraction_notice_is_known_by_its_type_too() -> None:
    types = ("Journal Article", "Retraction of Publication")
    assert shown(hit(title="T", abstract="", publication_types=types)).flags == ("Retraction notice",)


def test_a_pmid_is_on_pubmed() -> None:
    assert pubmed("33627334") == "https://pubmed.ncbi.nlm.nih.gov/33627334/"


def test_a_long_query_is_shortened_for_the_title() -> None:
    assert shortened("x" * TITLE_CHARS) == "x" * TITLE_CHARS
    assert shortened("x" * (TITLE_CHARS - 1) + " yz") == "x" * (TITLE_CHARS - 1) + "…"


def test_a_hit_without_a_record_is_shown_by_its_id_alone() -> None:
    bare = shown(hit("doc 1"))
    assert not any((bare.title, bare.authors, bare.date, bare.pubmed, bare.doi, bare.lead, bare.rest))
    assert bare.similar == "./?similar=doc+1"


def test_a_hit_is_shown_with_its_marks_and_the_date_it_has() -> None:
    marked = shown(
        hit(title="On pain", abstract="Pain.", year=1999, highlights=Highlights(title=((3, 7),), abstract=()))
    )
    assert [tuple(piece) for piece in marked.title] == [("On ", "text"), ("pain", "mark")]
    assert marked.date == "1999"
    assert shown(hit(year=1999, publication_date="1998-12")).date == "December 1998"


def test_a_doi_keeps_its_slash_and_nothing_else_that_an_address_has_a_meaning_for() -> None:
    assert shown(hit(doi="10.1/a?b#c<d>")).doi == "https://doi.org/10.1/a%3Fb%23c%3Cd%3E"


def test_one_hit_more_than_a_page_shows_tells_that_there_is_a_next() -> None:
    assert (len(answer("q=pain", HITS).hits), answer("q=pain", HITS).after) == (HITS, "")
    more = answer("q=pain", HITS + 1)
    assert (len(more.hits), more.after, more.before) == (HITS, "./?q=pain&page=2", "")
    last = answer(f"q=pain&page={LAST_PAGE}", HITS + 1)
    assert (last.after, last.before) == ("", f"./?q=pain&page={LAST_PAGE - 1}")


def test_stages_have_names_for_readers_and_unknown_ones_their_own() -> None:
    assert answer("q=pain", 1).stages == {"Searching": 1.5, "fuse": 0.5}


def test_advice_is_for_those_without_hits() -> None:
    assert answer("q=pain&from=2000", 1).advice == ()
    assert [link.text for link in answer("q=pain&from=2000&retracted=1", 0).advice] == ["Search without filters"]
    assert [link.text for link in answer("q=pain", 0).advice] == ["Include retracted articles"]
    assert [link.address for link in answer("q=pain&page=3", 0).advice] == ["./?q=pain"]


def test_what_helps_depends_on_what_failed() -> None:
    faster = "Search without re-ranking, which is faster"
    assert failure("q=pain", HTTPStatus.TOO_MANY_REQUESTS) == ["Try again", "Start anew"]
    assert failure("q=pain", HTTPStatus.GATEWAY_TIMEOUT) == ["Try again", faster, "Start anew"]
    assert failure("q=pain&rerank=0", HTTPStatus.GATEWAY_TIMEOUT) == ["Try again", "Start anew"]
    assert failure("q=pain&type=Tale", HTTPStatus.UNPROCESSABLE_ENTITY) == ["Search without filters", "Start anew"]
    assert failure("similar=7", HTTPStatus.NOT_FOUND) == ["Start anew"]


def test_settings_are_told_in_words() -> None:
    form = read_form(QueryParams("q=pain&from=1990&type=Review&type=Letter&abstract=no&retracted=1&rerank=0"))
    told = ["from 1990", "Review or Letter", "without an abstract", "retracted articles too", "without re-ranking"]
    assert form.settings == told
    assert read_form(QueryParams("q=pain&abstract=perhaps&retracted=0&rerank=1")).settings == []


def test_a_similar_search_stays_in_the_form_until_there_is_a_query() -> None:
    assert read_form(QueryParams("similar=7")).similar == "7"
    assert read_form(QueryParams("similar=7&q=pain")).similar == ""
