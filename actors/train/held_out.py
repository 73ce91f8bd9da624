"""The texts that a model is judged by: held-out queries, what answers them, and what is near."""

from typing import NamedTuple

import numpy as np

from actors.store.stores import open_store
from actors.train.training_run import TrainPlan, run_config
from actors.train.training_texts import texts_here
from retrieval.train.pairs.answers import Answers
from retrieval.train.pairs.held_out_pairs import judged_by
from retrieval.train.pairs.pair_sets import query_keys, read_all_pairs
from retrieval.train.pairs.texts import without
from schemas.arrays import Pmids
from schemas.config import Config
from schemas.errors import InputError
from schemas.pair import Span
from schemas.protocols import ArticleText, Query


class HeldOut(NamedTuple):
    """Queries of a signal; none of their articles is trained on."""

    signal: str
    queries: list[Query]
    articles: list[list[ArticleText]]
    """Of each query the one that answers it, without what the query was made of; for a re-ranker then those near it, as
    many as a search re-ranks."""
    pmids: list[int]
    """Of the ones that answer."""
    whole: list[ArticleText]
    """The same with what the query was made of."""
    answers: list[Pmids]
    """Of each query, all that answer it."""


def read_held_out(config: Config, plan: TrainPlan, *, decides: bool) -> list[HeldOut]:
    """Read what `judged_by` returns.

    Raises:
        InputError: none decides, or a re-ranker has nothing to order.
    """
    store, of_run = open_store(config), run_config(config, plan.kind)
    near = config.rerank.candidates - 1 if plan.kind == "reranker" else 0
    held_out = read_all_pairs(store, plan.pairs, "held-out")
    judged = judged_by(held_out, of_run.evaluated if decides else of_run.measured, decides=decides)
    chosen = {signal: of.to_pylist() for signal, of in judged.items()}
    keys = [[[pair["pmid"], *pair["near"][:near]] for pair in of] for of in chosen.values()]
    if chosen and plan.kind == "reranker" and all(len(of_pair) == 1 for of in keys for of_pair in of):
        raise InputError("held-out pairs have no near articles to be ordered; mine with mine.near = 32")
    pmids = np.array([pmid for of in keys for of_pair in of for pmid in of_pair], np.int64)
    texts = texts_here(config, store, plan.snapshot, plan.pairs, pmids)
    answering = Answers(query_keys(held_out), held_out["pmid"].to_numpy())
    found = []
    for (signal, pairs), of_signal in zip(chosen.items(), keys, strict=True):
        queries = [Query(pair["query"], pair["instruction"]) for pair in pairs]
        articles = [texts.read(np.array(of_pair, np.int64)) for of_pair in of_signal]
        whole = [answer for answer, *_ in articles]
        answers = [answering.of(int(pair["query_id"], 16), pair["pmid"]) for pair in pairs]
        for pair, of_pair in zip(pairs, articles, strict=True):
            of_pair[0] = without(of_pair[0], Span(**pair["drop"]))
        found.append(HeldOut(signal, queries, articles, [pair["pmid"] for pair in pairs], whole, answers))
    return found
