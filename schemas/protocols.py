"""The seams of the service: async, lists in, lists out, one result per item and in its order.

The plain classes of `actors/` implement them in one process; the adapters of `jobs/serve.py` over Ray Serve handles.
"""

from typing import NamedTuple, Protocol

from schemas.arrays import Vector
from schemas.article import DisplayArticle
from schemas.filters import Wanted


class Query(NamedTuple):
    """What a user asks: text for a query tower."""

    text: str
    task: str | None = None
    """The instruction for towers that take one; None: the encoder spec's."""


class ArticleText(NamedTuple):
    """What is indexed of an article: text for an article tower. Either may be empty."""

    title: str
    abstract: str


class Lookup(NamedTuple):
    """A search to make: one query vector, how many articles are to be found, of which, and in which version."""

    vector: Vector  # (dimension,)
    k: int
    wanted: Wanted = Wanted()
    name: str = ""
    """The wanted articles whose ids, DOIs or title this is come first."""
    version: str = ""
    """For searchers that hold several."""


class Match(NamedTuple):
    """An article that a search found, with its inner product with the query."""

    score: float
    article: DisplayArticle
    named: bool = False
    """It is among the first because the query names it."""


class ArticleKey(NamedTuple):
    """An article of an index version, by its PMID, PMCID, DOI or the corpus's own id, however spelt."""

    id: str
    version: str = ""


class StoredArticle(NamedTuple):
    """An article of the index, with its vector as it was when it was embedded."""

    vector: Vector  # (dimension,), of float16 precision
    article: DisplayArticle
    order: int = 0
    """Of the ways to read the key that by which it was found: of several shards the first counts."""


class Scoring(NamedTuple):
    """Passages to score against one query."""

    query: Query
    matches: list[Match]


class RerankScore(NamedTuple):
    """`raw` is the re-ranker's own score, `final` what orders the hits (equal, or fused with the first stage)."""

    raw: float
    final: float


class Encoder(Protocol):
    """Texts to vectors of the tower that is for them."""

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        """Return one vector (dimension,) per text."""

    async def count_tokens(self, texts: list[Query | ArticleText]) -> list[int]:
        """Return how many tokens the tower reads of each text, after cutting, with those that it adds."""


class Searcher(Protocol):
    """Vectors to articles, best first, ties by PMID. NotReadyError: the version is not there."""

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        """Return at most k matches per lookup: fewer only when the index holds fewer that are wanted.

        Raises:
            InputError: a filter names a term that no article has.
        """

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        """Return each article; None for one that the version does not have."""


class Reranker(Protocol):
    """Queries with passages to scores: higher is better."""

    async def score(self, scorings: list[Scoring]) -> list[list[RerankScore]]:
        """Return one score per passage; an empty list for a query without passages."""
