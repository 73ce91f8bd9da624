from typing import get_args
from urllib.parse import urlencode

import httpx
import pytest

from actors.web.api import create_app
from schemas.filter_grammar import parse_filter
from schemas.filters import MAX_CONDITIONS, Wanted
from schemas.search import ArticleField
from tests.support.service.seams import SECONDS, Shelf, joined
from tests.support.service.serving import ask


def similar(shelf: Shelf, parameters: str) -> httpx.Response:
    return ask(create_app(joined(shelf), SECONDS), "GET", f"/v1/similar/3?{parameters}")


def test_similar_articles_are_paged_filtered_and_shown_as_those_of_a_search() -> None:
    shelf = Shelf([1, 2, 3, 4, 5])
    answer = similar(shelf, "k=2&offset=1&fields=year&fields=journal&highlight=true&include_retracted=true")
    hits = answer.json()["hits"]
    assert [(hit["rank"], hit["id"]) for hit in hits] == [(2, "2"), (3, "4")]
    assert hits[0].keys() & get_args(ArticleField) == {"year", "journal"}
    assert hits[0]["highlights"] == {"title": [[0, 5]], "abstract": []}
    assert (shelf.depths, shelf.wanted) == ([4], [Wanted(retracted=True)])


@pytest.mark.parametrize(
    "texts", [["year>=2020 and type in (Review, 'Letter')"], ["year>=2020", 'type in ("Review", Letter)']]
)
def test_the_filter_of_similar_articles_is_the_text_of_the_command_line(texts: list[str]) -> None:
    shelf = Shelf([1, 2, 3])
    assert similar(shelf, urlencode({"filter": texts}, doseq=True)).status_code == 200
    assert shelf.wanted == [Wanted(parse_filter("year>=2020 and type in (Review, Letter)"))]


@pytest.mark.parametrize("parameters", ["", "filter=", "filter=+"])
def test_without_a_filter_similar_articles_are_all_but_retracted_ones(parameters: str) -> None:
    shelf = Shelf([1, 2, 3])
    assert len(similar(shelf, parameters).json()["hits"]) == 2
    assert shelf.wanted == [Wanted()]


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ("filter=colour=red", "filter: character 1, 'colour=red': expected a field ("),
        ("filter=mesh={red}) or", "filter: character 11, ') or': expected 'and'"),
        ("filter=year=last", "filter: 'year=last': year takes a whole number"),
        (f"filter=mesh={'x' * 2000}", f"filter: 'mesh={'x' * 95}': mesh takes text of 1 to"),
        ("&".join(["filter=year>1900"] * (MAX_CONDITIONS + 1)), "filter: tuple should have at most 16 items"),
        ("filters=year>2020", "filters: unknown; the nearest known field is 'filter'"),
        ("fields=colour", "fields.0: input should be 'title', "),
        ("k=1000&offset=1", "query: offset and k end at hit 1001; the last to be had is 1000"),
    ],
    ids=lambda text: text[:30],
)
def test_a_wrong_parameter_is_refused_by_name(parameters: str, detail: str) -> None:
    answer = similar(Shelf([1, 2, 3]), parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["detail"].startswith(detail)


def test_all_that_may_be_had_of_similar_articles_can_be_asked_for() -> None:
    assert len(similar(Shelf([*range(1, 1500)]), "k=1000&fields=year").json()["hits"]) == 1000
