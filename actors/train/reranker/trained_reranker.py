"""A cross-encoder while it is trained: a model with one label that reads query and article together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from actors.train.adapted_models import prepared
from actors.train.forward_pass import MULTIPLE, draw_dropout, outputs
from retrieval.embed.tokens import Tokens, load_tokenizer, pad_batch, pad_id, tokenize_pairs
from schemas.protocols import ArticleText
from schemas.training import RerankerTrainConfig


class TrainedReranker(torch.nn.Module):
    """Weights are in float32."""

    def __init__(self, folder: Path, config: RerankerTrainConfig) -> None:
        """Load a model of one label; an encoder gets a head, whose weights are drawn by the seed."""
        super().__init__()
        # Imported here: it takes seconds.
        from transformers import AutoModelForSequenceClassification
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        self.folder, self._config = folder, config
        torch.manual_seed(config.seed)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=1, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        self.model: Any = prepared(model, config, "SEQ_CLS")
        self._pad = pad_id(folder)
        self._tokenizer = load_tokenizer(folder, config.length)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def learnt(self) -> dict[str, torch.nn.Parameter]:
        return {name: of for name, of in self.named_parameters() if of.requires_grad}

    def tokens(self, query: str, articles: Sequence[ArticleText]) -> list[Tokens]:
        """Lay a query out with each article as `CrossEncoderReranker` does."""
        return tokenize_pairs(self._tokenizer, query, [" ".join(article).strip() for article in articles])

    def logits(self, texts: Sequence[Tokens], seed: int | None) -> torch.Tensor:
        """Return the logits (n,) of a query with n articles, with the dropout of a seed; None: without."""
        draw_dropout(self.model, seed)
        batch = pad_batch(texts, [*range(len(texts))], self._pad, multiple=MULTIPLE)
        logits: torch.Tensor = outputs(self.model, batch, self.device, self._config).logits
        return logits[:, 0].to(torch.promote_types(logits.dtype, torch.float32))
