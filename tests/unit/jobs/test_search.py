"""What is asked for becomes a request, and its answer is shown."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import search
from schemas.errors import RequestError, UsageError
from schemas.filter_text import parse_filter
from schemas.filters import Wanted
from schemas.search import Hit, SearchRequest, SearchResponse
from tests.support.service.stranger import stranger_service
from tests.support.stores.store_files import config


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    with stranger_service() as url:
        yield url


def test_the_options_become_the_request(stranger: str, tmp_path: Path) -> None:
    filters = 'year>=2020 and type in ("Review")'
    options: dict[str, Any] = {"filter": filters, "include_retracted": True, "no_rerank": True}
    with pytest.raises(RequestError) as error:
        search.run(config(tmp_path), query="statins", url=f"{stranger}/echo", **options)
    asked = SearchRequest.model_validate_json(str(error.value).partition(" answers 500: ")[2])
    assert asked == SearchRequest(query="statins", rerank=False, filters=parse_filter(filters), include_retracted=True)


def test_without_options_nothing_is_filtered_but_what_is_retracted(stranger: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as error:
        search.run(config(tmp_path), query="statins", url=f"{stranger}/echo")
    asked = SearchRequest.model_validate_json(str(error.value).partition(" answers 500: ")[2])
    assert asked == SearchRequest(query="statins")
    assert asked.wanted == Wanted()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter": "yaer>2020"}, "filter, character 1, 'yaer>2020': expected a field (year, "),
        ({"filter": " and ".join(["year>2020"] * 17)}, "filter, character 225: more than 16 conditions"),
        ({"k": 0}, "k = 0: input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error_before_anything_is_loaded(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"^{re.escape(message)}"):
        search.run(config(tmp_path / "no store"), query="x", **options)


RESPONSE = SearchResponse(query="q", version="v1", hits=(), reranked=True, degraded=None, milliseconds={"encode": 1.2})


def test_hits_are_shown_as_a_table() -> None:
    values = {"title": "T" * 100, "abstract": "", "journal": "", "year": 1975}
    scores = {"score": 1.5, "score_kind": "fused", "comparable": False, "retrieval_score": 0.5, "rerank_score": None}
    hit = Hit.model_validate({"rank": 1, "id": "123", "named": False, **scores, **values})
    response = RESPONSE.model_copy(update={"hits": (hit,)})
    query, headers, _, row, end = search.show(response).splitlines()
    assert (query, end) == ("q", "encode 1 ms, version v1")
    assert headers.split() == ["rank", "fused", "retrieval", "rerank", "PMID", "year", "title"]
    assert row.split() == ["1", "1.500", "0.500", "-", "123", "1975", "T" * 79 + "…"]


def test_no_hits_are_a_table_without_rows() -> None:
    assert len(search.show(RESPONSE).splitlines()) == 4


def test_hits_that_were_not_reranked_say_why() -> None:
    response = RESPONSE.model_copy(update={"degraded": "the re-ranker does not answer"})
    assert "not re-ranked: the re-ranker does not answer" in search.show(response).splitlines()
