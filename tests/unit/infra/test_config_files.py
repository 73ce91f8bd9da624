"""Every shipped configuration is one that the jobs take."""

import re
from pathlib import Path

import pytest

from jobs.common.config import load_config

FILES = sorted((Path(__file__).parents[3] / "infra" / "config").glob("*.toml"))
BMRETRIEVERS = [file for file in FILES if file.name.startswith("bmretriever")]
STAGES = [file for file in FILES if file.name.startswith("train-bmretriever")]
GUESSED = ("temperature", "batch", "steps", "warmup", "schedule", "lr", "weight_decay", "clip", "lora", "precision")
"""Of BMRetriever's recipe: what its authors do not say."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_is_read(file: Path) -> None:
    config = load_config(str(file), [], {})
    assert Path(config.store).is_absolute()


def test_there_are_those_that_the_readme_names() -> None:
    sizes = {f"bmretriever-{size}.toml" for size in ("410m", "1b", "2b", "7b")}
    assert {file.name for file in FILES} >= {"demo.toml", "medcpt.toml", *sizes}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_hub_model_is_pinned_to_a_commit(file: Path) -> None:
    encoder = load_config(str(file), [], {}).encoder
    for tower in (encoder.query, encoder.article):
        assert tower.model.startswith("embedded:") or re.fullmatch("[0-9a-f]{40}", tower.revision or "")


@pytest.mark.parametrize("file", BMRETRIEVERS, ids=lambda file: file.name)
def test_bmretrievers_differ_in_their_weights_alone(file: Path) -> None:
    encoder, other = (load_config(str(f), [], {}).encoder for f in (file, BMRETRIEVERS[0]))
    same = {"name": other.name, "dimension": other.dimension}
    assert encoder.identity() | same == other.identity()
    assert encoder.query.task == other.query.task
    assert encoder.query.model == encoder.article.model == f"BMRetriever/{encoder.name}"
    assert file.stem == encoder.name.lower()


def test_medcpts_recipe_is_its_authors() -> None:
    config = load_config(str(FILES[0].with_name("train-medcpt.toml")), [], {})
    of, reranker = config.train, config.train_reranker
    assert (of.loss, of.alpha, of.temperature, of.masks, of.distil, of.untied) == ("two-way", 0.8, 1, (), "none", True)
    assert (of.batch, of.accumulate, of.neighbours, of.hard_negatives) == (32, 8, 1, 0)
    assert (of.steps, of.warmup, of.schedule) == (100_000, 10_000, "cosine")
    assert (of.query_length, of.article_length) == (64, 512)
    assert (reranker.batch, reranker.hard_negatives, reranker.length) == (32, 31, 512)
    assert (reranker.steps, reranker.warmup, reranker.schedule) == (10_000, 1000, "linear")
    for run in (of, reranker):
        assert (run.lr, run.weight_decay, run.clip, run.dropout, run.lora.rank) == (2e-5, 0, 1, True, 0)
    assert config.mine.negatives > reranker.hard_negatives  # its authors leave out queries with no more than are drawn
    assert (config.mine.ranks, config.mine.margin) == ((50, 200), 1)
    assert not config.encoder.normalize
    assert config.encoder.article.pair
    assert config.encoder.query.model == config.encoder.article.model == config.rerank.model


@pytest.mark.parametrize("file", STAGES, ids=lambda file: file.name)
def test_what_bmretriever_does_not_say_is_marked_in_each_stage(file: Path) -> None:
    lines = file.read_text().splitlines()
    for key in GUESSED:
        [line] = [line for line in lines if re.match(rf"(# )?{key}\b", line)]
        assert "# not published" in line
    config = load_config(str(file), [], {})
    of, base = config.train, load_config(str(file.with_name(f"{file.stem[6:-7]}.toml")), [], {})
    assert (of.loss, of.distil, of.masks, of.cached) == ("one-way", "none", (), True)
    assert of.hard_negatives == config.mine.negatives == int(file.stem[-1]) - 1
    assert config.encoder.identity() == base.encoder.identity()  # prompts, end token, pooling, lengths
    assert config.store == base.store


@pytest.mark.parametrize("size", ["410m", "7b"])
def test_stages_start_as_one_model_until_they_are_told(size: str) -> None:
    first, second = (load_config(str(f), [], {}) for f in STAGES if size in f.name)
    assert first.encoder == second.encoder
    of_first = [f"encoder.{side}.model=stored:{'0' * 64}" for side in ("query", "article")]
    [file] = [f for f in STAGES if f.name == f"train-bmretriever-{size}-stage2.toml"]
    assert load_config(str(file), of_first, {}).encoder.query.model.startswith("stored:")
