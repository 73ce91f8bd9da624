"""What is known of the request under way: its id, its path, and what its log line is to say."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""A client's own request id: safe in headers and logs."""


@dataclass
class RequestFacts:
    """One request."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    path: str = ""
    noted: dict[str, Any] = field(default_factory=dict)


_current: ContextVar[RequestFacts] = ContextVar("request")


@contextmanager
def request_under_way(asked: str | None, path: str) -> Iterator[RequestFacts]:
    """Tell of a request while the block lasts; its id is the one that its client asks for, if that can be had."""
    facts = RequestFacts(path=path)
    if asked and ACCEPTED.fullmatch(asked):
        facts.id = asked
    token = _current.set(facts)
    try:
        yield facts
    finally:
        _current.reset(token)


def request_facts() -> RequestFacts:
    """Return the facts of the request under way; outside of one new ones."""
    return _current.get(None) or RequestFacts()


def note(**facts: Any) -> None:
    """Let the log line of the request under way, if there is one, say more; what is None is not said."""
    request_facts().noted.update((name, value) for name, value in facts.items() if value is not None)
