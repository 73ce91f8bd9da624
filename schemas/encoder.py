"""Encoder specs: everything that decides which vector a text gets, as data."""

import re
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
    """The text handed to the tokenizer: `{text}` for a query, `{title}` and `{abstract}` for an article."""
    pair: bool = False
    """Title and abstract go in as two segments, `[CLS] title [SEP] abstract [SEP]`, instead of by the template."""


class EncoderSpec(Frozen):
    """A query tower and an article tower that map into one space.

    Raises:
        ValueError: a template that does not say where the text goes.
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
        if "{text}" not in self.query.template:
            raise ValueError(f"query.template {self.query.template!r} has no {{text}}")
        if not self.article.pair and not {"{title}", "{abstract}"} <= set(re.findall(r"{\w+}", self.article.template)):
            raise ValueError(f"article.template {self.article.template!r} needs {{title}} and {{abstract}}")
        return self

    def identity(self) -> dict[str, Any]:
        """Return what makes two specs the same: all but where the weights lie, which their digests answer for."""
        place = {"model", "revision"}
        return self.model_dump(exclude={"query": place, "article": place})


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
        {
            "weights": article.weights,
            "tokenizer": article.tokenizer,
            "template": None if tower.pair else tower.template,
            "pair": tower.pair,
            "max_length": tower.max_length,
            "pooling": spec.pooling,
            "normalize": spec.normalize,
        }
    )
