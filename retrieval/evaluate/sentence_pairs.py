"""Pairs of sentences that people have scored by how alike they are, and how well an encoder agrees with them."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import pearsonr, spearmanr

from schemas.arrays import Floats
from schemas.errors import InputError
from schemas.quality_report import Correlation


class SentencePair(NamedTuple):
    """Two sentences, and their score: of several people's the mean."""

    first: str
    second: str
    score: float


def read_sentence_pairs(lines: Iterable[str], name: str) -> list[SentencePair]:
    """Read sentence, sentence, score, with tabs between and perhaps a header whose last word is "score".

    InputError names the first line that is something else; or no correlation is defined, for all scores are equal.
    """
    pairs = []
    for number, line in enumerate(lines, 1):
        columns = line.rstrip("\r\n").split("\t")
        if number == 1 and columns[-1:] == ["score"]:
            continue
        try:
            first, second, score = columns
            pair = SentencePair(first.strip(), second.strip(), float(score))
            if not (pair.first and pair.second and math.isfinite(pair.score)):
                raise ValueError
        except ValueError:
            shown = line.strip()[:60]
            raise InputError(f"{name} line {number}: not 'sentence, tab, sentence, tab, score' but {shown!r}") from None
        pairs.append(pair)
    if len({pair.score for pair in pairs}) < 2:
        raise InputError(f"{name}: {len(pairs)} pairs without two different scores; a correlation needs them")
    return pairs


def correlate(firsts: Floats, seconds: Floats, scores: Sequence[float]) -> dict[str, Correlation]:
    """Return how the inner products and the cosines of vectors (n, dimension) go with the scores of their pairs (n,).

    Equal values share the mean of their ranks.
    """
    products = np.einsum("pd,pd->p", firsts, seconds, dtype=np.float64)
    cosines = products / (np.linalg.norm(firsts, axis=1) * np.linalg.norm(seconds, axis=1))
    return {
        name: Correlation(
            pearson=float(pearsonr(values, scores).statistic), spearman=float(spearmanr(values, scores).statistic)
        )
        for name, values in (("inner_product", products), ("cosine", cosines))
    }
