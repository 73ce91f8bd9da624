from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from actors.train.adapted_models import merged, prepared
from actors.train.peers import Alone
from actors.train.reranker.reranker_gradients import RerankerGradients
from actors.train.reranker.trained_reranker import TrainedReranker
from actors.train.retriever.trained_towers import Towers
from schemas.protocols import ArticleText
from schemas.training import RerankerTrainConfig, TrainConfig
from tests.support.models import tiny
from tests.support.training import made_steps

LORA = {"rank": 2, "alpha": 4}


def towers(folder: Path, **values: Any) -> Towers:
    config = TrainConfig(**{"precision": "float32", **values})
    made = Towers(tiny.spec(folder), {"query": folder, "article": folder}, config)
    return made.change(partial(prepared, config=config, task="FEATURE_EXTRACTION"))


def vectors(of: Towers) -> torch.Tensor:
    return of.vectors(of.chunks(of.tokens([], tiny.TEXTS))[0], None)


def test_the_pooler_is_not_learnt(tiny_encoder: Path) -> None:
    learnt = towers(tiny_encoder).learnt()
    assert learnt
    assert not [of for of in learnt if ".pooler." in of]


def test_the_pooler_of_a_classifier_is_learnt_for_its_logits_come_from_it(tiny_encoder: Path) -> None:
    learnt = TrainedReranker(tiny_encoder, RerankerTrainConfig(precision="float32")).learnt()
    assert [of for of in learnt if ".pooler." in of]


def test_frozen_layers_and_what_is_below_them_are_not_learnt(tiny_encoder: Path) -> None:
    assert {name.split(".")[2] for name in towers(tiny_encoder).learnt()} == {"embeddings", "encoder"}
    assert {".".join(name.split(".")[2:5]) for name in towers(tiny_encoder, frozen=1).learnt()} == {"encoder.layer.1"}


@pytest.mark.parametrize("checkpoint", [False, True])
def test_every_low_rank_weight_has_moved_after_a_step(tiny_encoder: Path, *, checkpoint: bool) -> None:
    trainer, learner = made_steps.trainer(
        tiny_encoder, {"loss": "two-way", "lora": LORA, "checkpoint_activations": checkpoint, "warmup": 0}
    )
    before = {name: of.detach().clone() for name, of in learner.learnt().items()}
    assert {name.split(".lora_")[1][0] for name in before} == {"A", "B"}
    trainer.step()
    assert [name for name, of in learner.learnt().items() if torch.equal(of, before[name])] == []


def test_merged_is_applied(tiny_encoder: Path) -> None:
    both = towers(tiny_encoder, lora=LORA)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in both.learnt().values():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    applied, start = vectors(both), vectors(towers(tiny_encoder))
    assert (applied - start).abs().max() > 1e-3
    both.change(partial(merged, config=TrainConfig(lora=LORA)))
    assert (vectors(both) - applied).abs().max() < 1e-6
    assert {*dict(both.named_parameters())} == {*dict(towers(tiny_encoder).named_parameters())}


def test_a_head_is_learnt_whole(tiny_classifier: Path) -> None:
    config = RerankerTrainConfig(precision="float32", lora=LORA)
    model = TrainedReranker(tiny_classifier, config)
    assert [name for name in model.learnt() if "classifier" in name and "lora" not in name]
    texts = [model.tokens("pain", [ArticleText("Statin", "muscle pain"), ArticleText("Hay fever", "")])]
    [before] = RerankerGradients(model, Alone(), config).scores(texts)
    model.model = merged(model.model, config)
    [after] = RerankerGradients(model, Alone(), config).scores(texts)
    assert after.tolist() == pytest.approx(before.tolist(), abs=1e-6)


def test_without_dropout_a_model_in_training_is_as_one_that_is_used(tiny_encoder: Path) -> None:
    off, on = towers(tiny_encoder), towers(tiny_encoder, dropout=True)
    chunk = off.chunks(off.tokens([], tiny.TEXTS))[0]
    assert torch.equal(off.vectors(chunk, 1), off.vectors(chunk, None))
    assert not torch.equal(on.vectors(chunk, 1), on.vectors(chunk, None))
