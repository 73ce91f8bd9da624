from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from actors.store.local_store import LocalStore
from actors.train.mined_pairs import MinedPairs
from actors.train.retriever.trained_towers import Towers
from actors.train.retriever.training_pairs import TrainingPairs
from actors.train.training_texts import TrainingTexts, write_texts
from retrieval.articles.article import text_hash
from retrieval.articles.snapshot import read_snapshot
from retrieval.train.pairs.pair_sets import pair_table
from schemas.errors import InputError
from schemas.pair import Span
from schemas.protocols import Query
from schemas.training import TrainConfig
from tests.support.models import tiny
from tests.support.training import made_pairs

PAIRS = made_pairs.pairs()


@pytest.fixture
def texts(tmp_path: Path, tiny_encoder: Path) -> TrainingTexts:
    config, snapshot = made_pairs.store_of(tmp_path, tiny_encoder)
    store = LocalStore(config.store)
    write_texts(store, read_snapshot(store, snapshot), [], np.arange(1, 41), tmp_path / "texts.arrow")
    return TrainingTexts(tmp_path / "texts.arrow")


def config(**values: Any) -> TrainConfig:
    return TrainConfig(
        **{"batch": 8, "neighbours": 2, "hard_negatives": 2, "steps": 30, "precision": "float32"} | values
    )


def training_pairs(pairs: pa.Table, texts: TrainingTexts, config: TrainConfig) -> TrainingPairs:
    return TrainingPairs(MinedPairs(pairs, texts, config), config)


def towers(folder: Path, config: TrainConfig) -> Towers:
    return Towers(tiny.spec(folder), {"query": folder, "article": folder}, config)


def test_a_batch_has_its_queries_their_articles_and_hard_negatives_of_them(
    texts: TrainingTexts, tiny_encoder: Path
) -> None:
    of = config()
    pairs, both = training_pairs(pair_table(PAIRS), texts, of), towers(tiny_encoder, of)
    batch = pairs.batch(0, both)
    assert [len(batch.texts[side]) for side in ("query", "article")] == [8, 24]
    by_query = {tuple(both.tokens([Query(pair.query)], [])["query"][0].ids): pair for pair in PAIRS}
    found = [by_query[tuple(text.ids)] for text in batch.texts["query"]]
    assert batch.query_keys.view(np.uint64).tolist() == [int(pair.query_id, 16) for pair in found]
    articles = [np.array([pair.pmid for pair in found])]
    wanted = both.tokens([], texts.read(articles[0]))["article"]
    assert [text.ids.tolist() for text in batch.texts["article"][:8]] == [text.ids.tolist() for text in wanted]
    allowed = [
        [text.ids.tolist() for text in both.tokens([], texts.read(np.array(pair.negatives)))["article"]]
        for pair in found
    ]
    negatives = [text.ids.tolist() for text in batch.texts["article"][8:]]
    assert all(negatives[2 * i] in allowed[i] and negatives[2 * i + 1] in allowed[i] for i in range(8))
    assert batch.weights.tolist() == [1.0] * 8


def test_equal_texts_have_equal_keys_whatever_is_left_out_of_them(texts: TrainingTexts, tiny_encoder: Path) -> None:
    twins = [PAIRS[2]._replace(drop=Span(0, 3)), PAIRS[3]]  # articles 3 and 4 differ in their titles alone
    same = [PAIRS[2]._replace(drop=Span(0, 3)), PAIRS[2]._replace(query_id="00")]
    for pairs, equal in ((twins, False), (same, True)):
        of = config(batch=2, hard_negatives=0)
        batch = training_pairs(pair_table(pairs), texts, of).batch(0, towers(tiny_encoder, of))
        assert (batch.text_keys[0] == batch.text_keys[1]) is np.bool_(equal)


def test_a_teachers_scores_go_with_what_they_were_given_to(texts: TrainingTexts, tiny_encoder: Path) -> None:
    of = config(distil="scores")
    scored = [pair._replace(scores=(float(pair.pmid), *map(float, pair.negatives))) for pair in PAIRS]
    batch = training_pairs(pair_table(scored), texts, of).batch(1, towers(tiny_encoder, of))
    assert batch.taught is not None
    pmids = batch.taught.astype(np.int64)
    keys = [text_hash(*text) for text in texts.read(np.append(pmids[:, 0], pmids[:, 1:].reshape(-1)))]
    assert keys == batch.text_keys.view(np.uint64).tolist()
    with pytest.raises(InputError, match=r"39 of 40 pairs have no teacher's scores; mine with mine\.teacher = true"):
        training_pairs(pair_table([*scored[:1], *PAIRS[1:]]), texts, of)


def test_what_is_held_out_is_not_trained_on(texts: TrainingTexts) -> None:
    pairs = MinedPairs(pair_table(PAIRS), texts, config())
    pairs.refuse(np.array([50]))
    negative = PAIRS[0].negatives[0]
    with pytest.raises(InputError, match=rf"article {negative} would be trained on, and held out"):
        pairs.refuse(np.array([negative]))
    MinedPairs(pair_table(PAIRS[:8]), texts, config(hard_negatives=0)).refuse(np.array([40]))


def test_pairs_with_too_few_negatives_are_left_out(texts: TrainingTexts) -> None:
    few = [pair._replace(negatives=pair.negatives[:1]) for pair in PAIRS[:5]]
    pairs = MinedPairs(pair_table([*few, *PAIRS[5:]]), texts, config(hard_negatives=2))
    assert pairs.left_out == 5
    assert pairs.pmids.tolist() == [pair.pmid for pair in PAIRS[5:]]
    assert all(len(of) == 2 for of in pairs.drawn(np.arange(8), 0).negatives)


def test_too_few_pairs_or_negatives_are_refused_in_a_line(texts: TrainingTexts) -> None:
    with pytest.raises(InputError, match=r"3 pairs to train on are fewer than train\.batch = 8$"):
        training_pairs(pair_table(PAIRS[:3]), texts, config())
    with pytest.raises(InputError, match=r"^0 pairs .* for 40 pairs have fewer than train\.hard_negatives = 4 mined"):
        training_pairs(pair_table(PAIRS), texts, config(hard_negatives=4))
