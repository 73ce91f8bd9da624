"""Queries that every version must answer, and what one answered."""

from pydantic import Field

from schemas.base import Frozen


class Canary(Frozen):
    """A query, and the articles that must be among the first ten, where they are indexed."""

    text: str = Field(min_length=1)
    must_find: tuple[int, ...] = Field(min_length=1, max_length=10)
    """PMIDs."""


class CanaryFile(Frozen):
    """What a file of canaries holds."""

    query: tuple[Canary, ...] = Field(min_length=1)


class CanaryAnswer(Frozen):
    """What a version answered."""

    text: str
    found: tuple[int, ...]
    """PMIDs of the first ten, best first."""
    missing: tuple[int, ...] = ()
    """Of those that must be found, those that are indexed and were not."""
