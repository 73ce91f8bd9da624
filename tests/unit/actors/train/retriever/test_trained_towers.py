from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from actors.embed.towers import ArticleTower, QueryTower
from actors.train.adapted_models import prepared
from actors.train.retriever.trained_towers import Towers
from schemas.config import EngineConfig
from schemas.protocols import Query
from schemas.training import TrainConfig
from tests.support.models import tiny


def towers(folder: Path, **values: Any) -> Towers:
    config = TrainConfig(precision="float32", chunk=2, **values)
    made = Towers(tiny.spec(folder), {"query": folder, "article": folder}, config)
    return made.change(partial(prepared, config=config, task="FEATURE_EXTRACTION"))


def test_before_it_is_trained_it_gives_the_vectors_that_embed_gives(tiny_encoder: Path) -> None:
    both = towers(tiny_encoder)
    queries = [Query("pain in mice"), Query("asthma"), Query("hay fever of statin")]
    config = tiny.config(tiny.spec(tiny_encoder), EngineConfig(kind="torch", precision="float32"))
    wanted = {"query": QueryTower(config, 1).encode(queries), "article": ArticleTower(config, 1).encode(tiny.TEXTS)}
    for chunk in both.chunks(both.tokens(queries, tiny.TEXTS)):
        with torch.no_grad():
            found = both.vectors(chunk, 0).numpy()
        assert np.abs(found - wanted[chunk.side][chunk.rows]).max() < 1e-5


def test_chunks_are_numbered_through_and_padded_to_few_widths(tiny_encoder: Path) -> None:
    both = towers(tiny_encoder)
    chunks = both.chunks(both.tokens([Query("pain")] * 3, tiny.TEXTS))
    assert [chunk.number for chunk in chunks] == [0, 1, 2, 3, 4]
    assert {chunk.tokens.ids.shape[1] for chunk in chunks} <= {16, 32}


def test_texts_are_cut_to_what_is_trained_on(tiny_encoder: Path) -> None:
    both = towers(tiny_encoder, article_length=6)
    assert max(len(text.ids) for text in both.tokens([], tiny.TEXTS)["article"]) == 6


def test_towers_are_one_model_unless_they_are_untied(tiny_encoder: Path) -> None:
    assert len(towers(tiny_encoder).models) == 1
    assert len(towers(tiny_encoder, untied=True).models) == 2


def test_dropout_is_that_of_the_seed(tiny_encoder: Path) -> None:
    both = towers(tiny_encoder, dropout=True)
    chunk = both.chunks(both.tokens([], tiny.TEXTS[:2]))[0]
    first, again, other = (both.vectors(chunk, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    without, of_used = both.vectors(chunk, None), towers(tiny_encoder).vectors(chunk, 1)
    assert torch.equal(without, of_used)
