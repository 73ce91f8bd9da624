import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed.token_batches import BatchRule, pad_batch, padded_tokens, token_batches
from retrieval.embed.tokenizer import Tokens


def texts_of(lengths: list[int]) -> list[Tokens]:
    """Texts whose every token is the text's own number, from 1."""
    return [Tokens(np.full(n, i, np.int32), np.full(n, i % 2, np.int32)) for i, n in enumerate(lengths, 1)]


def test_a_batch_is_padded_on_the_right() -> None:
    batch = pad_batch(texts_of([1, 3]), [4, 2], pad=9)
    assert batch.ids.tolist() == [[1, 9, 9], [2, 2, 2]]
    assert batch.mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.segments.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert batch.positions == [4, 2]


RULES = st.builds(BatchRule, tokens=st.integers(1, 200), padding=st.integers(0, 60))


@given(lengths=st.lists(st.integers(1, 40), max_size=60), rule=RULES)
def test_every_text_is_in_one_batch_of_bounded_size_and_padding_longest_first(
    lengths: list[int], rule: BatchRule
) -> None:
    texts = texts_of(lengths)
    batches = list(token_batches(texts, rule, pad=0))
    assert padded_tokens(lengths, rule) == sum(batch.ids.size for batch in batches)
    assert sorted(p for batch in batches for p in batch.positions) == list(range(len(texts)))
    assert [lengths[p] for batch in batches for p in batch.positions] == sorted(lengths, reverse=True)
    for batch in batches:
        assert batch.ids.size <= rule.tokens or len(batch.positions) == 1
        assert (batch.mask == 0).sum() <= rule.padding
        for row, position in enumerate(batch.positions):
            assert batch.ids[row][batch.mask[row] == 1].tolist() == texts[position].ids.tolist()
            assert batch.segments[row][batch.mask[row] == 1].tolist() == texts[position].segments.tolist()


@given(count=st.integers(1, 30), length=st.integers(1, 20), rule=RULES)
def test_a_batch_is_filled(count: int, length: int, rule: BatchRule) -> None:
    sizes = [len(b.positions) for b in token_batches(texts_of([length] * count), rule, pad=0)]
    assert set(sizes[:-1]) <= {max(1, rule.tokens // length)}


def test_a_text_begins_a_batch_where_padding_it_would_cost_more_than_a_pass() -> None:
    batches = token_batches(texts_of([10, 8, 5, 3, 3]), BatchRule(1000, padding=4), pad=0)
    assert [batch.positions for batch in batches] == [[0, 1], [2, 3, 4]]
