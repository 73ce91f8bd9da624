import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.train.pairs.negatives import Ranking, mined
from schemas.training import MineConfig


@given(st.integers(1, 60), st.integers(0, 20), st.integers(5, 40), st.floats(0.5, 1), st.integers(0, 99), st.data())
def test_no_negative_answers_its_query_or_lies_beyond_the_ranks_or_the_margin(
    found: int, first: int, width: int, margin: float, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    pmids = rng.permutation(1000)[:found].astype(np.int64)
    firsts = np.where(rng.random(found) < 0.2, pmids[rng.integers(0, found, found)], pmids)
    scores = np.sort(rng.random(found, np.float32))[::-1]
    positives = data.draw(st.lists(st.sampled_from(firsts.tolist()), max_size=3).map(lambda of: np.array(of, np.int64)))
    barred = np.array(data.draw(st.lists(st.booleans(), min_size=found, max_size=found)), bool)
    rules = MineConfig(ranks=(first, first + width), margin=margin, negatives=5, near=4)
    ranking = Ranking(pmids, firsts, scores, barred)
    made = mined(ranking, positives, rules, seed)
    places = {int(pmid): place for place, pmid in enumerate(pmids)}
    answers = [place for place in range(found) if firsts[place] in positives]
    best = scores[answers[0] if answers else 0]
    free = [
        place
        for place in range(first, min(first + width, found))
        if place not in answers and (margin == 1 or scores[place] <= np.float32(margin * float(best)))
    ]
    fit = [place for place in free if not barred[place]]
    drawn = [places[pmid] for pmid in made.negatives.tolist()]
    assert {*drawn} <= {*fit}
    assert len(drawn) == len({*drawn}) == min(5, len(fit))
    assert drawn == sorted(drawn)
    assert made.near.tolist() == [int(p) for place, p in enumerate(pmids) if place not in answers][:4]
    assert made.rank == (answers[0] if answers else -1)
    assert made.answers == sum(first <= place < first + width for place in answers)
    assert made.too_near + made.answers + len(free) == made.looked_at == len(range(first, min(first + width, found)))
    none = mined(ranking, positives, rules.model_copy(update={"negatives": 0}), seed)
    assert (none.looked_at, none.answers, none.too_near, len(none.negatives)) == (0, 0, 0, 0)
    assert none.near.tolist() == made.near.tolist()


def test_another_seed_draws_others() -> None:
    pmids, scores = np.arange(200), np.linspace(1, 0, 200, dtype=np.float32)
    ranking = Ranking(pmids, pmids, scores, np.zeros(200, bool))
    rules = MineConfig(ranks=(50, 200), margin=1, negatives=8, near=0)
    drawn = {tuple(mined(ranking, np.array([3]), rules, seed).negatives) for seed in range(3)}
    assert len(drawn) == 3
