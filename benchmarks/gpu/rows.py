"""A line of the table of benchmarks/gpu, and how large what is measured is; part of benchmarks/gpu."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch


class Row(NamedTuple):
    """What was found."""

    check: str
    value: float | None
    unit: str
    least: float | None = None
    """Below which it is wrong; None: a figure."""
    skipped: str = ""
    """Why there is no value."""

    @property
    def ok(self) -> bool:
        return self.value is None or self.least is None or self.value >= self.least


@dataclass(frozen=True)
class Size:
    """How large models and data are."""

    articles: int = 8192
    tokens: int = 65_536
    """Of a batch."""
    vocabulary: int = 30_522
    bert: dict[str, Any] = field(default_factory=dict)
    """Of transformers' BertConfig, whose defaults are BERT-base."""
    decoder: dict[str, Any] = field(
        default_factory=lambda: {
            "hidden_size": 2048,
            "num_hidden_layers": 16,
            "num_attention_heads": 8,
            "intermediate_size": 8192,
        }
    )
    """Of GPTNeoXConfig: BMRetriever-1B's."""
    rows: int = 1_000_000
    lists: int = 16_384
    dimension: int = 768
    queries: int = 256


_TINY = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
SMALL = Size(
    articles=16, tokens=4096, vocabulary=500, bert=_TINY, decoder=_TINY, rows=5000, lists=32, dimension=64, queries=4
)


def wait_for(device: str) -> None:
    """Wait until a device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
