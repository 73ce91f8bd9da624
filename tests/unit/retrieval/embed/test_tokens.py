import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from retrieval.embed.tokens import (
    BatchRule,
    Tokens,
    TowerTokenizer,
    load_tokenizer,
    pad_batch,
    pad_id,
    padded_tokens,
    token_batches,
    tokenize_pairs,
)
from schemas.encoder import TowerSpec
from schemas.errors import InputError
from schemas.protocols import ArticleText, Query

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "query", ":"]
PAD, UNK, CLS, SEP, A, B, C, D, QUERY, COLON = range(len(WORDS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of words that pads, as a hub's do."""
    path = tmp_path_factory.mktemp("tokenizer")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    tokenizer.enable_padding(length=12)
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def tower(max_length: int = 100, template: str = "{text}", *, pair: bool = False) -> TowerSpec:
    return TowerSpec(model="m", max_length=max_length, template=template, pair=pair)


def lists(texts: list[Tokens]) -> list[list[int]]:
    return [text.ids.tolist() for text in texts]


def test_a_folder_without_a_fast_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^{tmp_path}: no tokenizer.json; use a model with a fast tokenizer$"):
        load_tokenizer(tmp_path, 10)


def test_queries_are_laid_out_by_the_template_cut_and_not_padded(folder: Path) -> None:
    queries = [Query("a"), Query("a b c d"), Query("{b}")]
    tokens = TowerTokenizer(folder, tower(5, "query: {text}")).queries(queries)
    assert lists(tokens) == [[CLS, QUERY, COLON, A, SEP], [CLS, QUERY, COLON, A, SEP], [CLS, QUERY, COLON, UNK, SEP]]


def test_articles_are_laid_out_by_the_template(folder: Path) -> None:
    texts = [ArticleText("a", "b c"), ArticleText("", "d"), ArticleText("a", ""), ArticleText("", "")]
    tokens = TowerTokenizer(folder, tower(9, "query: {text}")).articles(texts)
    begin = [CLS, QUERY, COLON]
    assert lists(tokens) == [[*begin, A, B, C, SEP], [*begin, D, SEP], [*begin, A, SEP], [*begin, SEP]]
    assert tokens[0].segments.tolist() == [0] * 7


def test_a_pair_is_two_segments_of_which_the_longer_is_cut(folder: Path) -> None:
    texts = [ArticleText("a", "b c"), ArticleText("a", "b c d d d d")]
    tokens = TowerTokenizer(folder, tower(7, pair=True)).articles(texts)
    assert lists(tokens) == [[CLS, A, SEP, B, C, SEP], [CLS, A, SEP, B, C, D, SEP]]
    assert tokens[0].segments.tolist() == [0, 0, 0, 1, 1, 1]
    assert [t.cut for t in tokens] == [False, True]


@pytest.fixture
def folder_with_eos(folder: Path, tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(folder, tmp_path / "with_eos"))
    (copy / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "d"}}))
    return copy


def test_the_end_of_sequence_token_follows_after_cutting_whatever_the_text(folder_with_eos: Path) -> None:
    tokenizer = TowerTokenizer(folder_with_eos, tower(5).model_copy(update={"append_eos": True}))
    tokens = tokenizer.queries([Query("a"), Query("a b c d a b c"), Query("d"), Query("")])
    assert lists(tokens) == [[CLS, A, SEP, D], [CLS, A, B, SEP, D], [CLS, D, SEP, D], [CLS, SEP, D]]
    assert all(len(t.segments) == len(t.ids) for t in tokens)
    assert [t.cut for t in tokens] == [False, True, False, False]


@pytest.mark.parametrize("content", [None, {}, {"eos_token": None}, {"eos_token": "</s>"}])
def test_a_tokenizer_without_the_wanted_end_is_refused(
    folder: Path, tmp_path: Path, content: dict[str, str] | None
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    if content is not None:
        (copy / "tokenizer_config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"tokenizer_config\.json: eos_token .* is not a token; append_eos needs one"):
        TowerTokenizer(copy, tower().model_copy(update={"append_eos": True}))


def test_a_cross_encoder_reads_the_query_then_title_and_abstract(folder: Path) -> None:
    tokens = tokenize_pairs(load_tokenizer(folder, 20), "query", ["a b", "c"])
    assert lists(tokens) == [[CLS, QUERY, SEP, A, B, SEP], [CLS, QUERY, SEP, C, SEP]]


@pytest.mark.parametrize(("config", "expected"), [({"pad_token_id": 7}, 7), ({"pad_token_id": None}, 0), ({}, 0)])
def test_the_padding_is_what_the_model_says(config: dict[str, int | None], expected: int, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert pad_id(tmp_path) == expected


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
