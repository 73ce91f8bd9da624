"""Answers of a service against judgments: measures as retrieved and as re-ranked, and rankings as files."""

from collections.abc import Iterator, Mapping

from retrieval.evaluate.judgments import Judgments
from retrieval.evaluate.rank_metrics import measure, paired_difference
from schemas.quality_report import QueryScores, Scores
from schemas.search import SearchResponse


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
    """Yield the hits of answers, by query id, as lines of a TREC run, best first."""
    for query, response in responses.items():
        for hit in response.hits:
            yield f"{query} Q0 {hit.id} {hit.rank} {-hit.rank} pubray\n"
