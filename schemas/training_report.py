"""What is told of mining pairs and of training."""

from typing import Any

from pydantic import Field

from schemas.base import Frozen
from schemas.pair import Split
from schemas.quality_report import PairedDifference
from schemas.report import Report, Seconds
from schemas.run import RunRecord, TrainFigures


class TrainedRun(Frozen):
    """A run of training that is done."""

    models: tuple[str, ...]
    """By their digests: the one that was trained, or that for queries and that for articles."""
    values: dict[str, Any]
    """Of a configuration that uses them."""
    report: "TrainReport"


class Example(Frozen):
    """A pair to read."""

    signal: str
    query: str
    positive: str
    """The article's title …"""
    negative: str
    """… and that of its first negative."""


class MineReport(Report):
    """Of `mine`."""

    pairs: str
    """The id of the set."""
    snapshot: str
    version: str | None
    new: bool
    """It was not there before."""
    counts: dict[str, dict[Split, int]]
    """By signal."""
    seconds: float
    ranked: int
    """Queries for which the version was asked."""
    ranks: dict[str, int]
    """Where their positives were found: how many among the first 1, 3, 10, …"""
    looked_at: int
    """Articles among the ranks of negatives; those of them that …"""
    answers: int
    """… are positives of the query, or have the text of one …"""
    too_near: int
    """… or scored above the margin were left out."""
    examples: tuple[Example, ...] = ()
    skipped: dict[str, int] = Field(default={})
    """Entries of a file that make no pair, by reason."""


class HeldOutFigures(Frozen):
    """nDCG@10 of held-out queries before and after training: of a retriever, which finds the answer among all that
    answer such queries; of a re-ranker, beside the configured second stage, among the articles that rank high."""

    queries: int
    before: float
    after: float
    difference: PairedDifference


class Evaluation(Frozen):
    """What the held-out pairs said by which a run decides, after so many steps."""

    step: int
    ndcg: dict[str, float]
    """By signal."""


class TrainReport(Report):
    """Of `train-retriever` and `train-reranker`, also of a run that goes on or failed: what is known of it so far."""

    run: str
    page: str
    """The key of its page in the store."""
    start: tuple[str, ...]
    """The models that it started from."""
    models: tuple[str, ...] = ()
    """What a configuration names the trained one by; of two, that for queries first."""
    pairs: tuple[str, ...]
    trained_on: int
    """Pairs of all sets, less those that …"""
    left_out: int = 0
    """… have fewer mined negatives than are drawn."""
    held_out: int
    steps: int
    """That are done …"""
    planned: int
    """… of so many."""
    begun_at: int
    """The step that this run went on from."""
    seconds: float
    pairs_per_second: float
    tokens_per_second: float
    """Both 0 where no step was left to be made."""
    mfu: float
    """FLOP utilisation: the share of the peak of matrix products; 0: those of this kind of model are not known."""
    loss: dict[str, float | None]
    """The parts, and the norm of the gradient, over the last tenth of the steps."""
    losses: tuple[dict[str, float | None], ...]
    """The same of each step of this run; None: it was no number."""
    curve: tuple[Evaluation, ...]
    best: int | None
    """The step whose state became the model; None: the last one's did."""
    held_out_ndcg: dict[str, HeldOutFigures] = Field(default={})
    """By signal."""

    @property
    def figures(self) -> TrainFigures:
        return TrainFigures(
            steps=self.steps,
            planned=self.planned,
            seconds=self.seconds,
            tokens_per_second=self.tokens_per_second,
            mfu=self.mfu,
            loss=self.loss,
            ndcg_before={signal: of.before for signal, of in self.held_out_ndcg.items()},
            ndcg_after={signal: of.after for signal, of in self.held_out_ndcg.items()},
        )


class TrainRecord(RunRecord):
    """What is kept of a run of training."""

    train: TrainReport | None = None


class TrainDemoReport(Report):
    """Of `train-demo`."""

    seconds: float
    stages: Seconds
    mined: MineReport
    trained: TrainReport
    topics: dict[str, PairedDifference]
    """nDCG@10 of MeSH topics, trained less start model, by stage of a search."""
