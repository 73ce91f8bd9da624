"""Encoder specs: everything that decides which vector a text gets, as data."""

from string import Formatter
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from schemas.base import Frozen, digest

Pooling = Literal["cls", "mean", "last"]


class TowerSpec(Frozen):
    """One text encoder of a spec: which weights, and how a text is laid out for them."""

    model: str
    """A folder, `embedded:NAME`, or a model hub's `owner/name`."""
    revision: str | None = None
    """The pinned commit of a hub model; None for a folder."""
    max_length: PositiveInt
    """Tokens, special tokens included; what is longer is cut."""
    template: str = "{text}"
    """What the tokenizer is given. `{text}` is the query, or an article's title and abstract with a space between."""
    task: str | None = None
    """What a query template's `{task}` stands for, unless a query brings its own."""
    pair: bool = False
    """Title and abstract go in as two segments, `[CLS] title [SEP] abstract [SEP]`, instead of by the template."""
    append_eos: bool = False
    """The end-of-sequence token is put behind a text by its id, after cutting; `max_length` counts it."""


class EncoderSpec(Frozen):
    """A query tower and an article tower that map into one space.

    Raises:
        ValueError: a template without `{text}`, or with a name in braces that it does not know.
    """

    name: str
    query: TowerSpec
    article: TowerSpec
    pooling: Pooling
    normalize: bool
    """Vectors have length 1. Otherwise scores are raw inner products, and norms carry meaning."""
    dimension: PositiveInt

    @model_validator(mode="after")
    def _templates_hold_the_text(self) -> Self:
        for name, tower, known in (("query", self.query, {"text", "task"}), ("article", self.article, {"text"})):
            found = {field for _, field, _, _ in Formatter().parse(tower.template) if field is not None}
            if "text" not in found or found - known:
                allowed = " and ".join(f"{{{field}}}" for field in sorted(known))
                raise ValueError(f"{name}.template {tower.template!r} needs {{text}}, and may hold {allowed} alone")
            if (tower.task is None) is ("task" in found):
                raise ValueError(f"{name}.task = {tower.task!r} does not fit its template {tower.template!r}")
        return self

    def identity(self) -> dict[str, Any]:
        """Return what makes two specs one encoder.

        Where the weights lie does not, for their digests do; nor what is a searcher's choice, task and query length.
        """
        place = {"model", "revision"}
        return self.model_dump(exclude={"query": {*place, "task", "max_length"}, "article": place})


class TowerDigests(Frozen):
    """sha256 of the files that a tower was loaded from."""

    weights: str = Field(pattern="^[0-9a-f]{64}$")
    tokenizer: str = Field(pattern="^[0-9a-f]{64}$")


def article_fingerprint(spec: EncoderSpec, article: TowerDigests) -> str:
    """Name the article space: it changes exactly when an article's vector would.

    Engine, number format, the query tower and where the weights lie do not matter to it.
    """
    tower = spec.article
    return digest(
        article.model_dump(include={"weights", "tokenizer"})
        | {"template": None if tower.pair else tower.template}
        | tower.model_dump(include={"pair", "append_eos", "max_length"})
        | spec.model_dump(include={"pooling", "normalize"})
    )


PREFIX = "embedded:"
