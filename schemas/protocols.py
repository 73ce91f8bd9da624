"""The seams of the service: async, lists in, lists out, one result per item and in its order.

The plain classes of `actors/` implement them in one process; the adapters of `jobs/serve.py` over Ray Serve handles.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.article import DisplayArticle

Vector = NDArray[np.float32]


class Lookup(NamedTuple):
    """A search to make: one query vector, and how many articles are wanted."""

    vector: Vector  # (dimension,)
    k: int


class Match(NamedTuple):
    """An article that a search found, with its inner product with the query."""

    score: float
    article: DisplayArticle


class Scoring(NamedTuple):
    """Passages to score against one query."""

    query: str
    matches: list[Match]


class RerankScore(NamedTuple):
    """`raw` is the re-ranker's own score, `final` what orders the hits (equal, or fused with the first stage)."""

    raw: float
    final: float


class QueryEncoder(Protocol):
    """Texts to vectors of the query tower."""

    async def encode(self, texts: list[str]) -> list[Vector]:
        """Return one vector (dimension,) per text."""
        ...


class Searcher(Protocol):
    """Vectors to articles, best first, ties by PMID."""

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        """Return at most k matches per lookup: fewer only when the index holds fewer."""
        ...


class Reranker(Protocol):
    """Queries with passages to scores: higher is better."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        """Return one score per passage; an empty list for a query without passages."""
        ...
