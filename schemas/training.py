"""How pairs are made and models are trained: `[mine]`, `[train]` and `[train_reranker]` of a configuration."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from schemas.base import Frozen
from schemas.pair import OwnSignal, Signal

Mask = Literal["query", "text"]
Schedule = Literal["constant", "linear", "cosine"]


class MineConfig(Frozen):
    """Which pairs are made of the articles, and what is looked for beside them."""

    signals: tuple[OwnSignal, ...] = ("title", "result", "conclusion", "section", "mesh", "keywords")
    """What of PubMed's own records queries are made of."""
    limit: PositiveInt = 100_000
    """Pairs at most: those of all articles are drawn from, by hash, so that the same articles give the same."""
    held_out: float = Field(0.1, ge=0, le=1)
    """Share of the articles whose pairs are measured by, and never trained on."""
    near: NonNegativeInt = 32
    """Articles kept that rank highest, for batches of pairs that are hard to tell apart."""
    negatives: NonNegativeInt = 8
    """Drawn for each pair from the ranks below."""
    ranks: tuple[NonNegativeInt, PositiveInt] = (50, 200)
    """From the first to before the second, from 0. MedCPT's; BMRetriever's are 1 to 100."""
    margin: float = Field(0.95, gt=0, le=1)
    """Articles with a score above this share of the positive's are no negatives: they may answer too. 1: they are.
    MedCPT and BMRetriever have none; .95 is NV-Retriever's (arXiv 2407.15831)."""
    teacher: bool = False
    """The configured re-ranker scores the positive and the negatives of each pair, for `distil = "scores"`."""
    seed: int = 0

    @model_validator(mode="after")
    def _ranks_are_enough(self) -> Self:
        first, last = self.ranks
        if last - first < self.negatives:
            raise ValueError(f"ranks {first} to {last} hold fewer than the {self.negatives} negatives")
        return self

    @property
    def depth(self) -> int:
        """How many articles are ranked for a query; 0: none are."""
        return max(self.near and 2 * self.near, self.negatives and self.ranks[1])


class LoraConfig(Frozen):
    """Low-rank additions to a model's linear layers, which alone are learnt."""

    rank: NonNegativeInt = 0
    """0: there are none, and all of the model is learnt."""
    alpha: PositiveInt = 32
    """They count alpha / rank times."""
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    """The last words of the layers' names."""


class RunConfig(Frozen):
    """What runs of training have in common, whatever model it is."""

    table: ClassVar[str] = "train"
    """Of the configuration."""

    mix: dict[Signal, Annotated[float, Field(ge=0, le=1)]] = Field(default={})
    """Share of a signal's pairs that is trained on, always the same ones; of those that are not named, all."""
    loss: Literal["two-way", "one-way", "listwise", "none"]
    distil: Literal["maxsim", "scores", "none"]
    hard_negatives: NonNegativeInt = 0
    """Mined ones of each pair that come into its batch, drawn anew in each epoch; pairs with fewer are left out."""
    batch: PositiveInt
    accumulate: PositiveInt = 1
    """Batches that make a step."""
    distil_weight: PositiveFloat = 1
    """Of what is learnt from a teacher, beside the loss."""
    teacher_temperature: PositiveFloat = 0.02
    lr: PositiveFloat = 3e-5
    warmup: NonNegativeInt = 20
    """Steps."""
    schedule: Schedule = "cosine"
    """How the learning rate falls, to 0 at the last step, after it rose."""
    steps: PositiveInt = 100
    weight_decay: NonNegativeFloat = 0.01
    clip: PositiveFloat = 1
    """The norm of a step's gradient is at most this."""
    dropout: bool = False
    """As the start model has it; it is off otherwise, as texts are few and steps are."""
    frozen: NonNegativeInt = 0
    """So many of the lowest layers, and the embeddings below them, stay as they are."""
    lora: LoraConfig = LoraConfig()
    checkpoint_activations: bool = False
    """Memory for time: what layers computed is computed again for their gradient."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of what is computed; weights are kept in float32."""
    spread: bool = False
    """Each worker holds a part of all weights, gradients and moments (FSDP): for a model that no GPU holds alone."""
    seed: int = 0
    workers: PositiveInt = 1
    num_gpus: NonNegativeFloat = 0
    """Per worker."""
    threads: NonNegativeInt = 0
    """CPU threads per worker; 0: the cores of its node, divided by the workers there."""
    checkpoint_steps: PositiveInt = 50
    evaluate_every: NonNegativeInt = 0
    """Steps between evaluations on held-out pairs, whose best state becomes the model; 0: the last one does."""
    patience: NonNegativeInt = 0
    """Evaluations without a better one after which a run ends; 0: it makes all its steps."""
    evaluated: PositiveInt = 200
    """Held-out pairs of each signal at most, by which that is decided."""
    measured: NonNegativeInt = 1000
    """Others of each signal at most, by which the model is compared at the end."""

    @model_validator(mode="after")
    def _it_can_be_done(self) -> Self:
        if self.loss == "none" and self.distil == "none":
            raise ValueError("loss and distil are both 'none'; nothing would be learnt")
        if self.warmup >= self.steps:
            raise ValueError(f"warmup {self.warmup} is not below steps {self.steps}: the rate would never be reached")
        if self.patience and not self.evaluate_every:
            raise ValueError("patience counts evaluations, and evaluate_every is 0; set both")
        if self.lora.rank and self.frozen:
            raise ValueError("frozen is for a model that is learnt whole, and lora.rank is not 0; set one of them")
        return self


class TrainConfig(RunConfig):
    """A run of training. It starts from the configured encoder, whose model is another one afterwards."""

    batch: PositiveInt = 64
    """Pairs that are contrasted with each other, on however many workers."""
    untied: bool = False
    """Queries and articles get towers of their own, though both start as the same model."""
    loss: Literal["two-way", "one-way", "none"] = "none"
    """Contrast with the other articles of a batch: each query among them, and, two-way, each article among the
    queries."""
    alpha: float = Field(0.8, ge=0, le=1)
    """Two-way: the share of the queries' side."""
    temperature: PositiveFloat = 0.05
    """Scores are divided by it before a softmax: .02 to .1 for cosines, 1 for raw inner products."""
    masks: tuple[Mask, ...] = ("query", "text")
    """What is not contrasted with a pair: the articles of its own query, and those of the same text."""
    distil: Literal["maxsim", "scores", "none"] = "maxsim"
    """Learn to order articles for each query as a teacher does: those of a batch as the start model does by its token
    vectors, or the positive and the hard negatives as the re-ranker did by which they were scored (`mine.teacher`)."""
    late_weight: NonNegativeFloat = 0
    """Of one-way contrast by late interaction, beside the others: token vectors, which re-rank, are learnt too."""
    late_temperature: PositiveFloat = 0.02
    chunk: PositiveInt = 16
    """Texts, of like length, that go through the model together."""
    cached: bool = False
    """GradCache: each chunk is computed twice, and memory no more grows with the batch."""
    query_length: PositiveInt = 48
    article_length: PositiveInt = 128
    """Tokens of a text while it is trained on; what is longer is cut."""
    neighbours: PositiveInt = 16
    """Pairs of a batch that are near each other, so that they are hard to tell apart; 1: none are."""
    soup: float | Literal["auto"] = 1.0
    """Share of the trained weights in those that are kept, the others are the start model's; `auto`: that which is best
    on held-out pairs."""

    @field_validator("soup")
    @classmethod
    def _soup_is_a_share(cls, soup: float | Literal["auto"]) -> float | Literal["auto"]:
        if soup != "auto" and not 0 <= soup <= 1:
            raise ValueError(f"soup {soup} is no share; give a number from 0 to 1, or 'auto'")
        return soup

    @model_validator(mode="after")
    def _batches_fit(self) -> Self:
        if self.distil == "scores" and not self.hard_negatives:
            raise ValueError("distil = 'scores' learns the order of hard negatives; set hard_negatives to 1 or more")
        if self.batch % self.neighbours:
            raise ValueError(f"batch {self.batch} is no multiple of neighbours {self.neighbours}")
        return self


class RerankerTrainConfig(RunConfig):
    """A run that trains a cross-encoder: the configured one, or one that starts as the article tower does."""

    table: ClassVar[str] = "train_reranker"
    batch: PositiveInt = 8
    """Queries, each with one of its positives and with negatives of it, drawn anew in each epoch."""
    hard_negatives: PositiveInt = 7
    """MedCPT has 31."""
    distil: Literal["scores", "none"] = "none"
    """Learn the order of them as the re-ranker has it by which they were scored (`mine.teacher`)."""
    loss: Literal["listwise", "none"] = "listwise"
    """The positive is to be the first: softmax over all of them."""
    length: PositiveInt = 192
    """Tokens of a query and an article together while they are trained on; what is longer is cut."""
    evaluated: PositiveInt = 50
    measured: NonNegativeInt = 200
