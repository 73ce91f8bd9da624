"""The second stage of a search: a re-ranker, and how it is used."""

from typing import NamedTuple

from schemas.protocols import Reranker
from schemas.search import ScoreKind


class Ranking(NamedTuple):
    """The second stage."""

    reranker: Reranker
    name: str
    score_kind: ScoreKind
    candidates: int
    """How many articles it sees unless a request says otherwise."""
    seconds: float | None
    """How long it may take, None: any time. Hits are returned as retrieved if it takes longer or does not answer."""
