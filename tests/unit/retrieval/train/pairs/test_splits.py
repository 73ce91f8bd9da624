import numpy as np

from retrieval.train.pairs.splits import held_out


def test_the_share_is_held_out_and_a_larger_one_holds_out_the_same_and_more() -> None:
    pmids = np.arange(1, 100_001)
    tenth, fifth = held_out(pmids, 0.1), held_out(pmids, 0.2)
    assert abs(tenth.mean() - 0.1) < 0.005
    assert not (tenth & ~fifth).any()
    assert held_out(pmids[500:600], 0.1).tolist() == tenth[500:600].tolist()
    assert not held_out(pmids, 0).any()
    assert held_out(pmids, 1).all()
