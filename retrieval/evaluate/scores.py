"""Quality of rankings, by ir_measures (trec_eval): the answers of a service as retrieved and as re-ranked."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import ir_measures
import numpy as np
from ir_measures import AP, RR, Measure, R, nDCG
from numpy.typing import NDArray

from retrieval.evaluate.judgments import Judgments
from schemas.quality_report import PairedDifference, QueryScores, Scores
from schemas.search import SearchResponse

MEASURES = (nDCG @ 10, nDCG @ 20, AP, RR @ 5, RR @ 10, R @ 1, R @ 5, R @ 10, R @ 20, R @ 100)
"""Of answers to queries: what we compare by, and what the papers print of their data sets (docs/figures.md)."""
RESAMPLES = 10_000
TIE = 1e-5
"""By how much equal scores of a run differ: float32, in which other tools have them, tells such logits apart."""


def measure(
    judgments: Judgments, rankings: Mapping[str, Sequence[str]], measures: Collection[Measure] = MEASURES
) -> dict[str, dict[str, float]]:
    """Return measure → query id → value, of article ids best first, from which those not judged are left out."""
    judged = judgments.judged
    qrels = [
        ir_measures.Qrel(query, article, grade)
        for query in rankings
        for article, grade in judgments.relevance[query].items()
    ]
    run = [
        ir_measures.ScoredDoc(query, article, -float(rank))
        for query, ranking in rankings.items()
        for rank, article in enumerate(a for a in ranking if judged is None or a in judged)
    ]
    values: dict[str, dict[str, float]] = {str(m): dict.fromkeys(rankings, 0.0) for m in measures}
    for value in ir_measures.iter_calc(measures, qrels, run):
        values[str(value.measure)][value.query_id] = value.value
    return values


def paired_difference(before: Mapping[str, float], after: Mapping[str, float]) -> PairedDifference:
    """Return after - before over the same queries; see `mean_difference`."""
    return mean_difference(np.array([after[query] - before[query] for query in before]))


def mean_difference(differences: NDArray[np.float64]) -> PairedDifference:
    """Return the mean of differences (n,) of n queries, with a bootstrap interval (Sakai, SIGIR 2006)."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (RESAMPLES, len(differences))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return PairedDifference(mean=float(differences.mean()), low=float(low), high=float(high))


def score(judgments: Judgments, responses: Mapping[str, SearchResponse], *, reranked: bool) -> Scores:
    """Return the measures of the answers to the queries, by query id, as retrieved and as re-ranked; per query too."""
    rankings = {
        query: [h.id for h in sorted(r.hits, key=lambda h: (-h.retrieval_score, h.id))]
        for query, r in responses.items()
    }
    systems = {"retrieval": measure(judgments, rankings)}
    more = {}
    if reranked:
        systems["reranked"] = measure(judgments, {q: [h.id for h in r.hits] for q, r in responses.items()})
        pairs = zip(systems["retrieval"].items(), systems["reranked"].values(), strict=True)
        more = {"difference": {m: paired_difference(before, after) for (m, before), after in pairs}}
    means = {s: {m: sum(v.values()) / len(v) for m, v in measures.items()} for s, measures in systems.items()}
    per_query = {
        query: QueryScores(query=text, **{s: {m: v[query] for m, v in of.items()} for s, of in systems.items()})
        for query, text in judgments.queries.items()
    }
    return Scores(**means, **more, per_query=per_query)


def trec_run(responses: Mapping[str, SearchResponse]) -> Iterator[str]:
    """Yield the hits of answers, by query id, as lines of a TREC run, best first, with scores that fall with the rank.

    They are the hits' own. Those of hits that the re-ranker did not see are of another kind: they go on from the last
    that it saw. Of equal ones the later is a little lower, as tools that sort by score have rules of their own.
    """
    for query, response in responses.items():
        last, shift = math.inf, 0.0
        for hit in response.hits:
            if response.reranked and hit.rerank_score is None and not shift:
                shift = min(0.0, last - hit.score)
            last = min(hit.score + shift, last - TIE)
            yield f"{query} Q0 {hit.id} {hit.rank} {last:.7g} pubray\n"
