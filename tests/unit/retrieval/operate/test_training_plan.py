"""What a run of training takes, by arithmetic that can be done by hand."""

from typing import Any

import pytest
import torch

from actors.train.training_run import KEPT
from benchmarks.operate.training_figures import kept_bytes, made
from jobs.common.config import DEFAULT, load_config
from retrieval.operate.planning import Planner, Scale
from retrieval.operate.training_plan import STATES, training_plan
from schemas.figures import ENCODERS, FIGURES, GPUS, TRAINING_FIGURES, EncoderFigures, Stage

MEDCPT = ENCODERS["medcpt"]
PEAK = 67e12 * 0.4


def of(*overrides: str, file: str = "train-medcpt.toml", encoder: EncoderFigures = MEDCPT, cores: int = 16) -> Stage:
    config = load_config(str(DEFAULT.with_name(file)), overrides, {})
    planner = Planner(config, encoder, Scale(1, 0, cores, 1, GPUS["h100"]), FIGURES)
    return training_plan(planner, TRAINING_FIGURES, "h100").stages[0]


def forward(tokens: int) -> float:
    return 2 * 84_934_656 * tokens + 4 * 768 * 12 * tokens**2  # BERT base, see test_rates


def test_medcpts_run_by_hand() -> None:
    pairs = 100_000 * 8 * 32
    tower = 4 * 109_482_240
    kept = 32 * (64 + 512) * 12 * (34 * 768 + 2 * 3072 * 4)
    planned = of()
    assert planned.gpu_hours == planned.hours == pytest.approx(pairs * 3 * (forward(32) + forward(294)) / PEAK / 3600)
    assert planned.worker_memory == pytest.approx(1.5e9 + 2 * tower * (4 + 1) + kept)  # + 1: the start model
    assert (planned.disk, planned.temporary) == (2 * tower, 2 * 3 * 2 * tower)
    assert planned.usd == pytest.approx(planned.hours * (3 + 0.05))


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        (["steps=200000"], 2),
        (["accumulate=4"], 1 / 2),
        (["workers=2"], 1 / 2),
        (["precision=bfloat16"], 67 / 989),
        (["cached=true"], 4 / 3),
        (["checkpoint_activations=true"], 4 / 3),
        (["cached=true", "checkpoint_activations=true"], 5 / 3),
        (["lora.rank=16"], 2 / 3),
        (["distil=maxsim"], 4 / 3),
        (["frozen=6"], 2 / 3),
    ],
    ids=lambda of: ", ".join(of) if isinstance(of, list) else "",
)
def test_hours_are_those_of_the_passes(changes: list[str], share: float) -> None:
    assert of(*(f"train.{change}" for change in changes)).hours == pytest.approx(share * of().hours)


def test_two_workers_take_the_memory_of_half_a_batch_each() -> None:
    one, two = of(), of("train.workers=2")
    assert two.gpu_hours == pytest.approx(one.gpu_hours)
    assert one.worker_memory - two.worker_memory == (of("train.batch=64").worker_memory - one.worker_memory) / 2
    assert two.memory == 2 * two.worker_memory


def test_of_a_model_that_is_spread_each_of_its_workers_holds_a_part() -> None:
    model = 4 * 2 * MEDCPT.parameters
    whole, parts = of("train.workers=2"), of("train.workers=2", "train.spread=true")
    assert whole.worker_memory - parts.worker_memory == pytest.approx((4 + 1) * model / 2)


def test_with_gradcache_memory_does_not_grow_with_the_batch() -> None:
    cached = ["train.cached=true", "train.chunk=8"]
    assert of(*cached, "train.batch=4096").worker_memory == of(*cached).worker_memory < of().worker_memory


@pytest.mark.parametrize("change", ["lora.rank=16", "checkpoint_activations=true"])
def test_what_saves_memory_does(change: str) -> None:
    changed = of(f"train.{change}")
    assert changed.worker_memory < of().worker_memory
    assert (changed.temporary < of().temporary) is change.startswith("lora")


def test_without_activations_adamw_takes_most() -> None:
    few = ["train.batch=1", "train.query_length=8", "train.article_length=8"]
    assert of(*few).worker_memory == 1.5e9 + (4 + 1 + 1) * 2 * 4 * MEDCPT.parameters


def test_states_are_those_that_a_run_keeps() -> None:
    assert STATES == KEPT
    assert of("train.evaluate_every=10").temporary == 1.5 * of().temporary


@pytest.mark.parametrize("name", ENCODERS)
def test_low_rank_additions_are_as_large_as_the_layers_are_wide(name: str) -> None:
    with torch.device("meta"):
        model = made(ENCODERS[name].shape, ENCODERS[name].shape["num_hidden_layers"])
    linear = [m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and "pooler" not in n]
    widths = sum(layer.in_features + layer.out_features for layer in linear)
    planned = of("train.lora.rank=16", "train.untied=false", encoder=ENCODERS[name])
    of_rank = planned.temporary / (2 * 3 * 4 * 16)
    assert widths == of_rank or ("query_key_value" in str(model) and 0.8 * of_rank < widths < of_rank)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("name", ["medcpt", "bmretriever-410m", "bmretriever-2b"])
def test_no_more_activations_are_kept_than_planned(name: str, precision: str) -> None:
    """A small model of the encoder's proportions: what goes into its backward pass, texts of 64 tokens."""
    small: dict[str, Any] = {
        key: value // 8 if key.endswith("_size") else value for key, value in ENCODERS[name].shape.items()
    } | {"num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": ENCODERS[name].shape["hidden_size"] // 16}
    model = made(small, 2)
    found = kept_bytes(model, torch.ones(16, 64, dtype=torch.long), half=precision == "bfloat16")
    encoder = EncoderFigures("", small, sum(p.numel() for p in model.parameters()), MEDCPT.tokens)
    changes = ["untied=false", "cached=true", "chunk=16", "query_length=64", "article_length=64"]
    planned = of(*(f"train.{change}" for change in [*changes, f"precision={precision}"]), encoder=encoder)
    activations = planned.worker_memory - 1.5e9 - (4 + 1) * 4 * encoder.parameters
    assert 0.6 * activations < found < 1.1 * activations


def test_the_demos_run_takes_what_a_trial_of_it_took() -> None:
    """3.7 to 4.5 s a step on two cores, and 2.7 GB; planned is for texts as long as may be."""
    demo = of(file="train-demo.toml", encoder=ENCODERS["minilm"], cores=2)
    assert 3.7 < demo.hours * 3600 / 100 < 4.6
    assert 2.7e9 < demo.worker_memory < 4e9
    assert demo.gpu_hours == 0
    assert demo.core_hours == pytest.approx(2 * demo.hours)
