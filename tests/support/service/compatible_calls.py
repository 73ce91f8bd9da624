"""Calls of the routes that other services' clients call, as plain HTTP."""

from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ValidationError

from actors.service.search_service import SearchService
from actors.web.api import create_app
from tests.support.service.seams import SECONDS, Favours, Shelf, joined
from tests.support.service.serving import ask

SERVICE = joined(Shelf([1]), Favours({1: 4.0, 2: -4.0}))


def post(path: str, service: SearchService = SERVICE, **body: Any) -> httpx.Response:
    return ask(create_app(service, SECONDS), "POST", path, json=body)


def refusal(path: str, **body: Any) -> str:
    """Why a request is wrong."""
    answer = post(path, **body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    return str(answer.json()["detail"])


def wrong(kind: type[BaseModel], body: dict[str, Any]) -> tuple[tuple[int | str, ...], str]:
    """The one thing that is wrong with a body: its place, and what is said of it."""
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(body)
    [error] = caught.value.errors()
    return error["loc"], error["msg"]
