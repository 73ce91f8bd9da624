"""The towers of an encoder while they are trained, and the start model as it was, which may be their teacher."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self

import torch

from actors.engine.torch_engine import load_model
from actors.train.forward_pass import MULTIPLE, draw_dropout, outputs
from retrieval.embed.pooling import TextVectors, unit
from retrieval.embed.tokens import TokenBatch, Tokens, TowerTokenizer, pad_batch, pad_id
from retrieval.train.batches import chunks
from schemas.arrays import RowNumbers
from schemas.encoder import EncoderSpec
from schemas.protocols import ArticleText, Query
from schemas.training import TrainConfig

Side = Literal["query", "article"]
SIDES: tuple[Side, Side] = ("query", "article")


class Chunk(NamedTuple):
    """Texts that go through a tower together."""

    side: Side
    rows: RowNumbers
    """Which texts of their side they are; none: its tokens are there to be computed, and for nothing else."""
    tokens: TokenBatch
    number: int
    """Of all chunks of the batch, whoever computes them: what their dropout depends on."""


def levelled(every: list[Chunk], workers: int) -> list[Chunk]:
    """Return chunks with empty ones after those of each side, so that of each side all workers have equally many."""
    made: list[Chunk] = []
    for side in SIDES:
        of_side = [chunk for chunk in every if chunk.side == side]
        empty = [chunk._replace(rows=chunk.rows[:0]) for chunk in of_side[-1:]]  # the shortest
        made += of_side + empty * (-len(of_side) % workers)
    return made


class Towers(torch.nn.Module):
    """One model for both sides, or two. Weights are in float32."""

    def __init__(self, spec: EncoderSpec, folders: dict[Side, Path], config: TrainConfig) -> None:
        """Load the start models from their folders, which are one and the same where the towers are tied."""
        super().__init__()
        self.spec, self.folders, self._config = spec, folders, config
        tied = folders["query"] == folders["article"] and not config.untied
        self.models = torch.nn.ModuleDict(
            {side: load_model(folders[side], "encoder", torch.float32, "cpu") for side in SIDES[tied:]}
        )
        self._finish = TextVectors(spec.pooling, spec.normalize)
        self._pads = {side: pad_id(folders[side]) for side in SIDES}
        lengths = {"query": config.query_length, "article": config.article_length}
        self._tokenizers: dict[Side, TowerTokenizer] = {}
        for side in SIDES:
            tower = spec.query if side == "query" else spec.article
            shorter = tower.model_copy(update={"max_length": min(tower.max_length, lengths[side])})
            self._tokenizers[side] = TowerTokenizer(folders[side], shorter)

    @property
    def of(self) -> dict[Side, torch.nn.Module]:
        """The tower of each side."""
        return {side: self.models[side if side in self.models else "article"] for side in SIDES}

    def change(self, to: Callable[[torch.nn.Module], torch.nn.Module]) -> Self:
        """Put other models in the towers' places; return the same towers."""
        for side, model in [*self.models.items()]:
            self.models[side] = to(model)
        return self

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and of the vectors."""
        return next(self.parameters()).dtype

    def learnt(self) -> dict[str, torch.nn.Parameter]:
        """Return what is trained, by name."""
        return {name: of for name, of in self.named_parameters() if of.requires_grad}

    def tokens(self, queries: Sequence[Query], articles: Sequence[ArticleText]) -> dict[Side, list[Tokens]]:
        return {
            "query": self._tokenizers["query"].queries(queries),
            "article": self._tokenizers["article"].articles(articles),
        }

    def chunks(self, texts: dict[Side, list[Tokens]]) -> list[Chunk]:
        """Return all texts in chunks of like length, the longest first."""
        made: list[Chunk] = []
        for side in SIDES:
            for rows in chunks([len(text.ids) for text in texts[side]], self._config.chunk):
                of_chunk = [texts[side][row] for row in rows]
                batch = pad_batch(of_chunk, rows.tolist(), self._pads[side], multiple=MULTIPLE)
                made.append(Chunk(side, rows, batch, len(made)))
        return made

    def vectors(self, chunk: Chunk, seed: int | None) -> torch.Tensor:
        """Return the vectors (n, dimension) of a chunk's texts, with the dropout of a seed; None: without."""
        return self.outputs(chunk, seed, late=False)[0]

    def outputs(self, chunk: Chunk, seed: int | None, *, late: bool) -> list[torch.Tensor]:
        """Return the same in a list; late: and the vectors of their tokens (n, T, dimension), each of length 1."""
        draw_dropout(self.of[chunk.side], seed)
        hidden_BTD, count = self._hidden(chunk), len(chunk.rows)
        vectors = self._finish(hidden_BTD, torch.from_numpy(chunk.tokens.mask).to(self.device))[:count]
        return [vectors, _token_vectors(hidden_BTD[:count])] if late else [vectors]

    @torch.no_grad()
    def token_vectors(self, chunk: Chunk) -> torch.Tensor:
        """Return the vectors of its tokens alone (n, T, dimension), each of length 1, without dropout."""
        self.of[chunk.side].eval()
        return _token_vectors(self._hidden(chunk)[: len(chunk.rows)])

    def _hidden(self, chunk: Chunk) -> torch.Tensor:
        found = outputs(self.of[chunk.side], chunk.tokens, self.device, self._config)
        hidden_BTD: torch.Tensor = found.last_hidden_state
        return hidden_BTD


def _token_vectors(hidden_BTD: torch.Tensor) -> torch.Tensor:
    return unit(hidden_BTD.to(torch.promote_types(hidden_BTD.dtype, torch.float32)))
