"""Asking a running service. PUBRAY_API_KEY is the key, where it wants one."""

import os
from typing import TypeVar

import httpx
from pydantic import ValidationError

from schemas.base import Frozen
from schemas.errors import RequestError
from schemas.search import SearchRequest, SearchResponse, VersionInfo

SECONDS = 120.0
"""An answer may take, of a service that has just started."""
KEY = "PUBRAY_API_KEY"

Answer = TypeVar("Answer", bound=Frozen)


def ask(url: str, request: SearchRequest) -> SearchResponse:
    """Search.

    Raises:
        RequestError: the service cannot be reached, or refuses.
    """
    return _asked(url, "POST", "/v1/search", SearchResponse, request.model_dump(mode="json", exclude_defaults=True))


def ask_version(url: str) -> VersionInfo:
    """Return what the service answers from; RequestError: it cannot be reached, or refuses."""
    return _asked(url, "GET", "/version", VersionInfo, None)


def _asked(url: str, method: str, path: str, kind: type[Answer], body: object) -> Answer:
    key = os.environ.get(KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.request(method, f"{url.rstrip('/')}{path}", json=body, headers=headers, timeout=SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RequestError(f"{url} does not answer ({error}); start it with pubray serve") from None
    if answer.is_error:
        raise RequestError(f"{url} answers {answer.status_code}: {' '.join(answer.text[:300].split())}")
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError:
        raise RequestError(f"{url} answers, but not as pubray does; name the address of pubray serve") from None
