"""What is reported of quality, and of a service: by `evaluate`, `verify`, `demo` and `serve`; and what is planned."""

from schemas.base import Frozen
from schemas.figures import Figure, ServingPlan, Stage
from schemas.golden import Check
from schemas.night_report import NightReport
from schemas.report import Bytes, Report, Seconds
from schemas.search import SearchResponse

Measures = dict[str, float]
"""Name of a measure → its value."""


class PlanReport(Report):
    """Of `plan`."""

    articles: int
    nightly: int
    encoder: str
    dimension: int
    cores: int
    gpus: int
    gpu: str | None
    stages: tuple[Stage, ...]
    serving: ServingPlan
    """Of `--queries`."""
    figures: dict[str, Figure]


class TrainPlanReport(Report):
    """Of `plan --train`."""

    encoder: str
    steps: int
    pairs: int
    """Of a step."""
    gpus: float
    gpu: str | None
    stages: tuple[Stage, ...]
    figures: dict[str, Figure]


class PairedDifference(Frozen):
    """Mean of paired differences, and the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


class QueryScores(Frozen):
    """Of one query."""

    query: str
    retrieval: Measures
    reranked: Measures | None = None


class Scores(Frozen):
    """Of all queries: means, and what re-ranking is worth, where there is any."""

    retrieval: Measures
    reranked: Measures | None = None
    difference: dict[str, PairedDifference] | None = None
    per_query: dict[str, QueryScores]


class EvaluateReport(Report, Scores):
    """Of `evaluate`."""

    version: str
    articles: int
    queries: int
    candidates: int
    exact: bool


class SimilarScores(Frozen):
    """Of articles as queries: means over those that were ranked."""

    queries: int
    judgments: int
    absent_queries: int
    """Left out: the version has not their article, or none that was judged for it."""
    absent_judgments: int
    """Of the queries that are there, left out: the version has not the judged article."""
    measures: Measures
    per_query: dict[str, Measures]


class ArticlesReport(Report, SimilarScores):
    """Of `evaluate --articles`."""

    version: str
    articles: int
    encoder: str


class Correlation(Frozen):
    """Of what an encoder says of pairs with what people say, from -1 to 1."""

    pearson: float
    spearman: float
    """Of the ranks."""


class PairsReport(Report):
    """Of `evaluate --pairs`: by the query tower."""

    encoder: str
    pairs: int
    inner_product: Correlation
    cosine: Correlation


class ServeReport(Report):
    """Of `serve`, once it was stopped."""

    url: str
    seconds: int


class DemoAnswer(Frozen):
    """What one of the demo's queries found."""

    query: str
    hits: tuple[str, ...]
    relevant: int
    """Of the hits, those that were judged relevant beforehand."""


class DemoReport(Report):
    """Of `demo`."""

    seconds: float
    nights: dict[str, NightReport]
    changes: tuple[tuple[str, ...], ...]
    """Of each changed article what changed, its PMID, and where each night's version finds it."""
    stages: Seconds
    queries: tuple[DemoAnswer, ...]
    quality: EvaluateReport | None
    bytes: Bytes


class VerifyReport(Report):
    """Of `verify`: an encoder's values beside those that were published."""

    encoder: str
    source: str
    tolerance: float
    checks: tuple[Check, ...]


class VerifiedReport(VerifyReport):
    """Of `verify`, where all values are as published: what the encoder then found among real articles."""

    store: str
    articles: int
    recall_at_10: float
    seconds: Seconds
    answers: tuple[SearchResponse, ...]
