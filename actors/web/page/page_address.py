"""The address of a search on the page: its parameters, which are the fields of the form, to a request and back.

    ?q=text | ?similar=id   what is asked for
    from, to                the first and the last year
    type, language, journal, mesh
                            each may be given several times: one of the values will do
    abstract=yes            or no
    retracted=1             retracted articles too
    rerank=0                as retrieved
    page=2

A blank parameter counts as none, and one of another name is left to whoever added it to a link.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Self
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.datastructures import QueryParams

from schemas.article import ARTICLE_FIELDS
from schemas.filters import Condition, leaves
from schemas.search import MAX_K, SearchRequest

HITS = 10
"""Hits on a page."""
LAST_PAGE = (MAX_K - 1) // HITS
"""One hit more than a page shows is asked for, which tells whether there is a next page."""
YEARS = {"from": ">=", "to": "<="}
_YEAR_NAMES = {op: name for name, op in YEARS.items()}
TERMS = ("type", "language", "journal", "mesh")


class AskedSearch(NamedTuple):
    """What an address asks for."""

    request: SearchRequest
    similar: bool = False
    """The query is the id of an article, and those similar to it are asked for."""

    @property
    def page(self) -> int:
        """Which page, from 1."""
        return self.request.offset // HITS + 1

    @property
    def address(self) -> str:
        """Where this is found, relative to the page."""
        return f"./?{urlencode([*_pairs(self)])}"

    @property
    def plain(self) -> Self:
        """The same without filters and settings."""
        return self.but(filters=(), include_retracted=False, rerank=not self.similar, offset=0)

    def on_page(self, page: int) -> Self:
        return self.but(offset=(page - 1) * HITS)

    def but(self, **changes: object) -> Self:
        return self._replace(request=self.request.model_copy(update=changes))


def similar_to(id_: str) -> AskedSearch:
    """Ask for the articles that are similar to one."""
    return AskedSearch(_request(query=id_, rerank=False), similar=True)


def given(parameters: QueryParams, name: str) -> list[str]:
    """Return the values of a parameter, without blank ones and repetitions."""
    values = (value.strip() for value in parameters.getlist(name))
    return list(dict.fromkeys(value for value in values if value))


def first(parameters: QueryParams, name: str, default: str = "") -> str:
    """Return the first value of a parameter."""
    return next(iter(given(parameters, name)), default)


def read_address(parameters: QueryParams) -> tuple[AskedSearch | None, dict[str, str]]:
    """Return what an address asks for, and by name of the parameter what it takes instead of something wrong.

    None: it asks for nothing, or something is wrong. A query comes before an article's id.
    """
    wrong: dict[str, str] = {}
    query, id_ = first(parameters, "q"), first(parameters, "similar")
    settings = {
        "query": query or id_,
        "filters": _filters(parameters, wrong),
        "include_retracted": _switch(parameters, "retracted", "0", wrong),
        "rerank": _switch(parameters, "rerank", "1", wrong) and bool(query),
        "offset": (_page(parameters, wrong) - 1) * HITS,
    }
    if wrong or not (query or id_):
        return None, wrong
    try:
        return AskedSearch(_request(**settings), similar=not query), {}
    except ValidationError as error:
        return None, {"q" if query else "similar": _reason(error)}


def _request(**settings: object) -> SearchRequest:
    return SearchRequest.model_validate({"k": HITS + 1, "highlight": True, "fields": ARTICLE_FIELDS, **settings})


def _filters(parameters: QueryParams, wrong: dict[str, str]) -> tuple[Condition, ...]:
    """Return the conditions; of one that is none say why."""
    conditions = []
    for name in (*YEARS, *TERMS, "abstract"):
        if not (values := given(parameters, name)):
            continue
        try:
            conditions.append(Condition.model_validate(_condition(name, values)))
        except ValidationError as error:
            wrong[name] = _reason(error)
    return tuple(conditions)


def _condition(name: str, values: list[str]) -> dict[str, object]:
    if name in YEARS:
        return {"field": "year", "op": YEARS[name], "value": _number(values[0])}
    if name in TERMS and len(values) > 1:
        return {"field": name, "op": "in", "value": values}
    return {"field": name, "op": "=", "value": values[0]}


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else text


def _switch(parameters: QueryParams, name: str, default: str, wrong: dict[str, str]) -> bool:
    value = first(parameters, name, default)
    if value not in ("0", "1"):
        wrong[name] = f"{name} takes 0 or 1"
    return value == "1"


def _page(parameters: QueryParams, wrong: dict[str, str]) -> int:
    page = _number(first(parameters, "page", "1"))
    if isinstance(page, int) and 1 <= page <= LAST_PAGE:
        return page
    wrong["page"] = f"page takes a whole number from 1 to {LAST_PAGE}"
    return 1


def _reason(error: ValidationError) -> str:
    return error.errors()[0]["msg"]


def _pairs(asked: AskedSearch) -> Iterator[tuple[str, str]]:
    request = asked.request
    yield "similar" if asked.similar else "q", request.queries[0]
    for condition in leaves(request.filters):
        name = _YEAR_NAMES[condition.op] if condition.field == "year" else condition.field
        for value in condition.values:
            yield name, str(value)
    if request.include_retracted:
        yield "retracted", "1"
    if not (request.rerank or asked.similar):
        yield "rerank", "0"
    if asked.page > 1:
        yield "page", str(asked.page)
