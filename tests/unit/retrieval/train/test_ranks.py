import ir_measures
import numpy as np
import pytest
from ir_measures import nDCG

from retrieval.train.ranks import first_ndcg, pooled_ndcg, single_ndcg


def test_it_is_the_measure_of_trec_eval() -> None:
    rng = np.random.default_rng(0)
    queries, articles = (rng.standard_normal((40, 8)).astype(np.float32) for _ in range(2))
    queries += articles
    qrels = [ir_measures.Qrel(str(i), str(i), 1) for i in range(40)]
    run = [ir_measures.ScoredDoc(str(i), str(j), float(queries[i] @ articles[j])) for i in range(40) for j in range(40)]
    wanted = ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10]
    assert single_ndcg(queries, articles).mean() == pytest.approx(wanted)


def test_an_encoder_for_which_all_are_alike_finds_nothing() -> None:
    assert single_ndcg(np.ones((20, 4), np.float32), np.ones((20, 4), np.float32)).sum() == 0


def test_an_answer_stands_against_the_others_of_a_pool() -> None:
    rng = np.random.default_rng(0)
    queries, articles = (rng.standard_normal((30, 8)).astype(np.float32) for _ in range(2))
    others = ~np.eye(30, dtype=bool)
    assert pooled_ndcg(queries, articles, articles, others).tolist() == single_ndcg(queries, articles).tolist()
    alike = np.ones((12, 2), np.float32)
    found = pooled_ndcg(alike[:1], alike[:1], alike, np.arange(12)[None] < 3)
    assert found.tolist() == [1 / np.log2(5)]


def test_of_scored_articles_the_first_is_looked_for() -> None:
    scores = [np.array(of, np.float32) for of in ([3, 2, 1], [2, 3, 1], [1, 1], [0, *range(1, 11)])]
    assert first_ndcg(scores).tolist() == pytest.approx([1, 1 / np.log2(3), 1 / np.log2(3), 0])


def test_a_model_that_diverged_finds_nothing() -> None:
    broken = np.full((20, 4), np.nan, np.float32)
    assert single_ndcg(broken, broken).sum() == 0
    assert first_ndcg([np.array([np.nan, 1], np.float32)]).tolist() == [0]
