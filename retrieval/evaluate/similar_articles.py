"""Articles as queries, each ranked among the articles that somebody judged for it, by the vectors of a version.

Both sides are vectors of the article tower, as MedCPT's authors compare articles; so no encoder is loaded.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from ir_measures import AP, nDCG

from retrieval.articles.article import key_of_id
from retrieval.evaluate.judgments import Judgments
from retrieval.evaluate.scores import measure
from retrieval.index.exact import best_first, inner_products
from retrieval.index.segment import OpenSegment
from retrieval.rows.row_numbers import rows_of
from schemas.arrays import Mask, Pmids, Rows
from schemas.quality_report import SimilarScores

CUTS = (5, 10, 15)


def rank_judged(article: str, judged: Collection[str], segments: Sequence[OpenSegment]) -> list[str]:
    """Return the judged articles that segments have alive, best first, ties by key; none if they lack the article.

    The score is the inner product of the stored vectors, which are the encoder's in float16.
    """
    names = [article, *judged]
    keys = np.array([key_of_id(name) for name in names], np.int64)
    vectors, there = _stored(keys, segments)
    if not there[0]:
        return []
    found = np.flatnonzero(there[1:]) + 1
    scores = inner_products(vectors[0].astype(np.float32), vectors[found])
    return [names[i] for i in found[best_first(scores, keys[found], len(found))]]


def _stored(keys: Pmids, segments: Sequence[OpenSegment]) -> tuple[Rows, Mask]:
    """Return the vectors (n, dimension) of the articles of keys (n,), 0 where there is none, and where there is one."""
    vectors = np.zeros((len(keys), segments[0].manifest.dimension), np.float16)
    there = np.zeros(len(keys), bool)
    for segment in segments:
        rows = rows_of(segment.pmids, segment.pmid_order, keys)
        here = (rows >= 0) & segment.live[rows]
        vectors[here] = segment.vectors(rows[here])
        there |= here
    return vectors, there


def precision_of_first(grades: Sequence[int], k: int) -> float:
    """Return the average precision of the first k alone, of grades best first: the mean over the relevant among them.

    Relevant is what has a grade above 0, so in part relevant too; those behind the first k do not count as missed, as
    they do in trec_eval. So MAP@k is told in the table of RELISH that MedCPT stands in (Zhang et al., J Biomed Inform
    2022, and their code, github.com/carmanzhang/PSA).
    """
    places = np.flatnonzero(np.array(grades[:k]) > 0) + 1
    return float(np.mean(np.arange(1, len(places) + 1) / places)) if len(places) else 0.0


def gain_of_first(grades: Sequence[int], k: int) -> float:
    """Return the nDCG of the first k alone, of grades best first: beside the best order of these k, not of all.

    A grade is its own gain, the first two places count whole, and place i from there on 1 / log2(i) (Järvelin and
    Kekäläinen 2002). So NDCG@k is told where MAP@k is.
    """
    gains = np.array(grades[:k], np.float64)
    discounts = 1 / np.log2(np.maximum(np.arange(1, len(gains) + 1), 2))
    best = np.sort(gains)[::-1] @ discounts
    return float(gains @ discounts / best) if best else 0.0


def score_similar(judgments: Judgments, rankings: Mapping[str, Sequence[str]]) -> SimilarScores:
    """Return the measures of rankings (see `rank_judged`) by query id.

    MAP@k and NDCG@k are of the first k alone; AP and nDCG, by trec_eval, of all that were judged and are there. Queries
    without a ranking are left out; one at least has one.
    """
    ranked = {query: ranking for query, ranking in rankings.items() if ranking}
    relevance = {query: {a: judgments.relevance[query][a] for a in ranking} for query, ranking in ranked.items()}
    values = {}
    for name, first in (("MAP", precision_of_first), ("NDCG", gain_of_first)):
        for k in CUTS:
            values[f"{name}@{k}"] = {query: first([*grades.values()], k) for query, grades in relevance.items()}
    values |= measure(Judgments({}, relevance, None), ranked, (AP, nDCG))
    asked = sum(len(judgments.relevance[query]) for query in ranked)
    known = sum(len(grades) for grades in relevance.values())
    return SimilarScores(
        queries=len(ranked),
        judgments=known,
        absent_queries=len(rankings) - len(ranked),
        absent_judgments=asked - known,
        measures={name: float(np.mean([*of.values()])) for name, of in values.items()},
        per_query={query: {name: of[query] for name, of in values.items()} for query in ranked},
    )
