"""Which pairs make the batch of a step: a pure function of the pairs, the seed and the step.

So a run that goes on, on however many workers, sees the batches that it would have seen.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.arrays import Pmids, RowNumbers

GROUPS, FILLING, NEGATIVES, POSITIVES = 0, 1, 2, 3
"""What is drawn at random, each from a stream of its own."""


class Batches:
    """Batches of pairs, epoch after epoch; of each epoch every pair is in one batch at most."""

    def __init__(self, pmids: Pmids, near: Sequence[Pmids], *, batch: int, neighbours: int, seed: int) -> None:
        """Make batches of `batch` pairs, in groups of `neighbours` (which divides it) that are near each other.

        pmids: of the positives, a batch at least. near: of each pair, those of articles near it.
        """
        self._pmids, self._near = pmids, near
        self._batch, self._neighbours, self._seed = batch, neighbours, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    @property
    def per_epoch(self) -> int:
        """How many batches an epoch has; the pairs beyond them are others in each epoch."""
        return len(self._pmids) // self._batch

    def __call__(self, number: int) -> RowNumbers:
        """Return the pairs (batch,) of batch number 0, 1, …"""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._ordered(epoch)
        return self._order[place * self._batch : (place + 1) * self._batch]

    def _ordered(self, epoch: int) -> RowNumbers:
        """Return all pairs, group after group. A group that lacks neighbours is filled up with what is left over."""
        order = _stream(self._seed, epoch, GROUPS).permutation(len(self._pmids))
        if self._neighbours == 1:
            return order
        groups = _groups(order, self._pmids, self._near, self._neighbours)
        whole = [group for group in groups if len(group) == self._neighbours]
        rest = np.array([pair for group in groups if len(group) < self._neighbours for pair in group], np.int64)
        joined = [*map(np.array, whole), *np.split(rest, range(self._neighbours, len(rest), self._neighbours))]
        last = joined.pop() if len(joined[-1]) < self._neighbours else np.empty(0, np.int64)
        mixed = _stream(self._seed, epoch, FILLING).permutation(len(joined))
        return np.concatenate([*(joined[i] for i in mixed), last])


def _groups(order: RowNumbers, pmids: Pmids, near: Sequence[Pmids], most: int) -> list[list[int]]:
    """Return the pairs in groups of at most so many: the first that is left, and one of each of its near articles.

    Of an article that has several it is the first in order.
    """
    by_pmid = order[np.argsort(pmids[order], kind="stable")]
    known = pmids[by_pmid]
    free, groups = np.ones(len(pmids), bool), []
    for first in order.tolist():
        if not free[first]:
            continue
        group, free[first] = [first], False
        begins = np.searchsorted(known, near[first], "left").tolist()
        ends = np.searchsorted(known, near[first], "right").tolist()
        for begin, end in zip(begins, ends, strict=True):
            for pair in by_pmid[begin:end].tolist():
                if len(group) < most and free[pair]:
                    group.append(pair)
                    free[pair] = False
                    break
        groups.append(group)
    return groups


def hard_negatives(mined: Sequence[int], count: int, seed: int, number: int) -> RowNumbers:
    """Draw `count` of the mined negatives of each pair of batch `number`: their places (pairs, count) among so many."""
    rng = _stream(seed, number, NEGATIVES)
    drawn = [rng.choice(have, count, replace=False) for have in mined]
    return np.array(drawn, np.int64).reshape(len(mined), count)


class QueryBatches:
    """Batches of pairs of which each query has one: of each epoch every query is in one batch at most.

    MedCPT's re-ranker is trained so: of a query's positives one is drawn, in each epoch anew.
    """

    def __init__(self, queries: NDArray[np.uint64], *, batch: int, seed: int) -> None:
        """queries: of each pair a key of its query."""
        _, first, self._counts = np.unique(queries, return_index=True, return_counts=True)
        self._pairs, self._begins = np.argsort(queries, kind="stable"), np.cumsum(self._counts) - self._counts
        self._batches = Batches(first, [], batch=batch, neighbours=1, seed=seed)
        self._seed = seed

    def __call__(self, number: int) -> RowNumbers:
        """Return the pairs (batch,) of batch number 0, 1, …"""
        queries = self._batches(number)
        drawn = _stream(self._seed, number, POSITIVES).integers(0, self._counts[queries])
        return self._pairs[self._begins[queries] + drawn]


def seed_of(run: int, batch: int, chunk: int) -> int:
    """Return the seed of the dropout of a chunk of a batch, whoever computes it."""
    return int(np.random.SeedSequence((run, batch, chunk)).generate_state(1)[0])


def _stream(seed: int, number: int, of: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((seed, number, of)))


def chunks(lengths: Sequence[int], size: int) -> list[RowNumbers]:
    """Return texts in chunks of `size` (the last may be smaller), each of texts of like length; longest first."""
    order = np.argsort(-np.array(lengths), kind="stable")
    return np.split(order, range(size, len(order), size)) if len(order) else []
