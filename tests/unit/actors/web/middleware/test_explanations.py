import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.web.api import create_app
from actors.web.middleware.explanations import MAX_EXPLAINED
from schemas.search import SearchRequest
from tests.support.service.seams import SECONDS, Shelf, joined
from tests.support.service.serving import ask

APP = create_app(joined(Shelf([1])), SECONDS)
PYTHON = re.compile(
    r"\b(str|string|int|integer|dict|dictionary|tuple|none|nonetype|bool|boolean|union|valid|model)\b", re.I
)


OTHERS = [
    ("filter", "filters"),
    ("retracted", "include_retracted"),
    ("field", "fields"),
    ("kk", "k"),
    *((name, "k") for name in ("top_k", "limit", "size", "num_results", "Limit")),
    *((name, "offset") for name in ("page", "from", "start", "skip")),
    ("q", "query"),
    ("return_fields", "fields"),
    ("instruction", "task"),
]


def test_a_long_name_of_a_field_is_not_echoed() -> None:
    answer = ask(APP, "POST", "/v1/search", json={"query": "x", "y" * 10_000: 1})
    assert len(answer.json()["detail"]) < 100


def post(body: bytes, path: str = "/v1/search") -> tuple[int, str]:
    answer = ask(APP, "POST", path, content=body, headers={"content-type": "application/json"})
    return answer.status_code, answer.json().get("detail", "")


@pytest.mark.parametrize(("name", "nearest"), OTHERS)
def test_an_unknown_field_is_told_the_nearest(name: str, nearest: str) -> None:
    body = json.dumps({"query": "x", name: 1}).encode()
    assert post(body) == (422, f"{name}: unknown; the nearest known field is {nearest!r}")


def test_an_unknown_field_of_a_condition_is_told_the_nearest() -> None:
    body = b'{"query": "x", "filters": [{"field": "year", "op": "=", "value": 2020, "values": 1}]}'
    assert post(body) == (422, "filters.0.values: unknown; the nearest known field is 'filters.value'")


def test_of_many_wrong_fields_some_are_told() -> None:
    _, detail = post(json.dumps({"query": "x"} | dict.fromkeys(map(str, range(50_000)), 1)).encode())
    assert (detail.count("; the nearest known field"), len(detail) < 1000) == (MAX_EXPLAINED, True)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 1, 1.5, -1, "", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["field", "op", "value", "x"]), inner),
    max_leaves=4,
)


@given(field=st.sampled_from([*SearchRequest.model_fields]), value=VALUES)
def test_errors_speak_of_json(field: str, value: Any) -> None:
    status, detail = post(json.dumps({"query": "q", field: value}).encode())
    assert status == 200 or not PYTHON.search(re.sub("nearest known field is '.*'", "", detail)), detail


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"query": None}, "query: give text of 1 to 10000 characters, or a list of such texts"),
        ({"query": "x", "k": "many"}, "k: give a whole number"),
        ({"query": "x", "k": [1]}, "k: give a whole number"),
        ({"query": "x", "rerank": {}}, "rerank: give true or false"),
        ({"query": "x", "task": 1}, "task: give text"),
        ({"query": "x", "fields": "title"}, "fields: give a list"),
        ({"query": "x", "filters": {}}, "filters: give a list"),
        ({"query": "x", "filters": ["year>1"] * 17}, "filters: give at most 16 items"),
        ({"query": "x", "filters": "colour=red"}, "filters: character 1, 'colour=red': expected a field ("),
        (
            {"query": "x", "filters": [{"field": "mesh", "op": "=", "value": None}]},
            "filters.0.value: give text or give a whole number or give a list",
        ),
        (
            {"query": "x", "filters": [{"field": "mesh", "op": "in", "value": ["a", {}]}]},
            "filters.0.value: give text or give a whole number; filters.0.value.1: give text or give a whole number",
        ),
    ],
    ids=str,
)
def test_what_a_field_takes_is_told(body: dict[str, Any], detail: str) -> None:
    status, told = post(json.dumps(body).encode())
    assert (status, told[: len(detail)]) == (422, detail)


def test_what_follows_a_text_of_several_conditions_may_be_wrong() -> None:
    body = {"query": "x", "filters": ["year>=2020 and type=Review", {"field": "bogus", "op": "=", "value": 1}]}
    status, detail = post(json.dumps(body).encode())
    assert (status, "'year', " in detail) == (422, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/search", {"query": "x", "filters": [1] * 300_000}),
        ("/v1/search", {"query": "x", "filters": [{"any": [1] * 300_000}]}),
        ("/v1/search", {"query": "x", "filters": "year=1 and " * 80_000 + "year=1"}),
        ("/v1/search", {"query": "x", "filters": f"pmid in ({'1,' * 400_000}1)"}),
        ("/v1/search", {"query": "x", "fields": [1] * 300_000}),
        ("/v1/vectors", {"ids": [1] * 300_000}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_of_many_wrong_items_is_refused_in_a_moment(path: str, body: dict[str, object]) -> None:
    content, start = json.dumps(body).encode(), time.process_time()
    assert post(content, path)[0] == 422
    assert time.process_time() - start < 2
