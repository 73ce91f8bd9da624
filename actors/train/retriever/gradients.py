"""The gradient of a batch's loss: that of one process, on however many workers, in the memory of a few chunks."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from actors.train.peers import Peers
from actors.train.retriever.trained_towers import SIDES, Chunk, Side, Towers, levelled
from retrieval.embed.tokens import Tokens
from retrieval.train.batches import seed_of
from retrieval.train.losses import Scored, contrast, distillation, max_sims, repeated, softmax_losses
from schemas.arrays import Floats
from schemas.training import TrainConfig

# B = pairs of the batch, b = those of this worker, C = its articles: B positives, then hard negatives


class TextBatch(NamedTuple):
    """Pairs that are contrasted with each other."""

    texts: dict[Side, list[Tokens]]
    """B queries; C articles."""
    weights: Floats
    """(B,)"""
    query_keys: NDArray[np.int64]
    """(B,): equal where queries are."""
    text_keys: NDArray[np.int64]
    """(C,): equal where articles' texts are."""
    taught: Floats | None = None
    """(B, 1 + n): a teacher's scores of the positive and the hard negatives of each pair; None: it has none."""


class Late(NamedTuple):
    """What late interaction needs of a batch: the vectors of all tokens, whoever computed them."""

    tokens: dict[Side, torch.Tensor]
    """(texts, T, dimension), each of length 1 or padding."""
    masks: dict[Side, torch.Tensor]
    """(texts, T): 1 where there is a token."""

    def scores(self, rows_b: torch.Tensor) -> torch.Tensor:
        """Return the scores (b, C) of some queries with all articles."""
        query_masks = self.masks["query"].to(self.tokens["query"])
        return max_sims(
            self.tokens["query"][rows_b], query_masks[rows_b], self.tokens["article"], self.masks["article"]
        )


class Gradients:
    """Adds a batch's gradient to the towers' parameters: of each worker its share; `Peers.add` of them is the whole."""

    def __init__(self, towers: Towers, teacher: Towers | None, peers: Peers, config: TrainConfig) -> None:
        self._towers, self._teacher, self._peers, self._config = towers, teacher, peers, config

    def add(self, batch: TextBatch, step: int, share: float = 1) -> dict[str, torch.Tensor]:
        """Add `share` of it; return the parts of the loss, of this worker's pairs.

        Of a text only the vector is kept at first; its gradient is known when those of all workers are there, and is
        then led on through the model (GradCache, arXiv 2101.06983). Nothing is differentiated through a message.
        """
        every, late = self._towers.chunks(batch.texts), bool(self._config.late_weight)
        own = self._own(every)
        seeds = [seed_of(self._config.seed, step, chunk.number) for chunk in own]
        with torch.set_grad_enabled(not self._config.cached):
            passes = [self._towers.outputs(chunk, seed, late=late) for chunk, seed in zip(own, seeds, strict=True)]
        vectors = self._gathered(batch.texts, own, [of[0] for of in passes])
        tokens = self._late(self._towers, every, own, [of[1] for of in passes]) if late else None
        leaves = {side: [vectors[side], *([tokens.tokens[side]] if tokens else [])] for side in SIDES}
        for leaf in (leaf for of_side in leaves.values() for leaf in of_side):
            leaf.requires_grad_()
        parts = self._losses(batch, vectors, tokens)
        torch.autograd.backward(list(parts.values()), [torch.full_like(part, share) for part in parts.values()])
        gradients = {side: [leaf.grad for leaf in of_side if leaf.grad is not None] for side, of_side in leaves.items()}
        self._peers.add(*(gradient for of_side in gradients.values() for gradient in of_side))
        for chunk, seed, kept in zip(own, seeds, passes, strict=True):
            of_chunk = self._towers.outputs(chunk, seed, late=late) if self._config.cached else kept
            rows, width = torch.from_numpy(chunk.rows), chunk.tokens.ids.shape[1]
            of_leaves = [gradient[rows] for gradient in gradients[chunk.side]]
            torch.autograd.backward(of_chunk, [of[:, :width] if of.ndim == 3 else of for of in of_leaves])
        return {name: part.detach() for name, part in parts.items()}

    @torch.no_grad()
    def vectors(self, texts: dict[Side, list[Tokens]]) -> dict[Side, torch.Tensor]:
        """Return the vectors (n, dimension) of texts as the towers make them where they are used."""
        own = self._own(self._towers.chunks(texts))
        return self._gathered(texts, own, [self._towers.vectors(chunk, None) for chunk in own])

    def _own(self, every: list[Chunk]) -> list[Chunk]:
        """Return those of all chunks that this worker computes."""
        shared = levelled(every, self._peers.size) if self._config.spread else every
        return shared[self._peers.rank :: self._peers.size]

    def _gathered(
        self, texts: dict[Side, list[Tokens]], own: list[Chunk], passes: list[torch.Tensor]
    ) -> dict[Side, torch.Tensor]:
        """Return the vectors of all texts, whoever computed them."""
        of = self._towers
        every = {
            side: torch.zeros((len(texts[side]), of.spec.dimension), dtype=of.dtype, device=of.device) for side in SIDES
        }
        for chunk, vectors in zip(own, passes, strict=True):
            every[chunk.side][torch.from_numpy(chunk.rows)] = vectors.detach()
        self._peers.add(*every.values())
        return every

    def _late(self, towers: Towers, every: list[Chunk], own: list[Chunk], passes: Iterable[torch.Tensor]) -> Late:
        """Return the token vectors of all texts; `passes`: those of its own chunks."""
        tokens, masks = {}, {}
        for side in SIDES:
            of_side = [chunk for chunk in every if chunk.side == side]
            shape = (sum(len(chunk.rows) for chunk in of_side), max(chunk.tokens.ids.shape[1] for chunk in of_side))
            masks[side] = torch.zeros(shape)
            tokens[side] = torch.zeros(*shape, towers.spec.dimension, dtype=towers.dtype, device=towers.device)
            for chunk in of_side:
                mask = torch.from_numpy(chunk.tokens.mask[: len(chunk.rows)]).float()
                masks[side][torch.from_numpy(chunk.rows), : mask.shape[1]] = mask
        for chunk, of_chunk in zip(own, passes, strict=True):
            tokens[chunk.side][torch.from_numpy(chunk.rows), : of_chunk.shape[1]] = of_chunk.detach().to(towers.dtype)
        self._peers.add(*tokens.values())
        return Late(tokens, masks)

    def _losses(
        self, batch: TextBatch, vectors: dict[Side, torch.Tensor], late: Late | None
    ) -> dict[str, torch.Tensor]:
        """Return by name the parts of this worker's share of the loss."""
        config, device = self._config, self._towers.device
        pairs = len(batch.weights)
        rows_b = torch.arange(self._peers.rank, pairs, self._peers.size)
        queries, articles = vectors["query"], vectors["article"]
        weights_B = torch.from_numpy(batch.weights).to(queries)
        weights_b = weights_B[rows_b] / weights_B.sum()
        scores_bC = queries[rows_b] @ articles.T
        masked_bC = self._masked(batch, rows_b).to(device)
        parts = {}
        if config.loss != "none":
            back = None
            if config.loss == "two-way":
                back = Scored(articles[rows_b] @ queries.T, rows_b.to(device), masked_bC[:, :pairs])
            parts["contrast"] = contrast(
                Scored(scores_bC, rows_b.to(device), masked_bC),
                back,
                weights_b,
                alpha=config.alpha,
                temperature=config.temperature,
            )
        if late:
            of_tokens = Scored(late.scores(rows_b), rows_b.to(device), masked_bC)
            losses_b = softmax_losses(of_tokens, config.late_temperature)
            parts["late"] = config.late_weight * (weights_b * losses_b).sum()
        of_teacher: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None] | None = None
        if self._teacher:
            of_teacher = scores_bC, self._taught(self._teacher, batch, rows_b), masked_bC
        elif batch.taught is not None:
            of_teacher = *self._by_scores(batch.taught, rows_b, scores_bC), None
        if of_teacher:
            student, teacher, masked = of_teacher
            divergence = distillation(
                student,
                teacher,
                weights_b,
                masked=masked,
                temperature=config.temperature,
                teacher_temperature=config.teacher_temperature,
            )
            parts["distillation"] = config.distil_weight * divergence
        return parts

    def _by_scores(
        self, taught: Floats, rows_b: torch.Tensor, scores_bC: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores (b, 1 + n) of this worker's positives with their hard negatives, and the teacher's."""
        taught_bN = torch.from_numpy(taught).to(scores_bC)[rows_b]
        count = taught_bN.shape[1] - 1
        further_bn = len(taught) + rows_b[:, None] * count + torch.arange(count)
        columns_bN = torch.cat([rows_b[:, None], further_bn], 1).to(scores_bC.device)
        return scores_bC.gather(1, columns_bN), taught_bN

    def _masked(self, batch: TextBatch, rows_b: torch.Tensor) -> torch.Tensor:
        """Return which articles (b, C) are not contrasted with this worker's queries; hard negatives of its own are."""
        query_keys, text_keys = torch.from_numpy(batch.query_keys), torch.from_numpy(batch.text_keys)
        masked_bC = torch.zeros(len(rows_b), len(text_keys), dtype=torch.bool)
        if "query" in self._config.masks:
            masked_bC[:, : len(query_keys)] |= repeated(query_keys[rows_b], query_keys, rows_b)
        if "text" in self._config.masks:
            masked_bC |= repeated(text_keys[rows_b], text_keys, rows_b)
        return masked_bC

    @torch.no_grad()
    def _taught(self, teacher: Towers, batch: TextBatch, rows_b: torch.Tensor) -> torch.Tensor:
        """Return the late interaction (b, C) by the teacher's token vectors."""
        every = teacher.chunks(batch.texts)
        own = self._own(every)
        return self._late(teacher, every, own, map(teacher.token_vectors, own)).scores(rows_b)
