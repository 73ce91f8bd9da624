"""Scored pairs, through a tiny query tower."""

from pathlib import Path

import numpy as np
import pytest

from actors.embed.towers import QueryTower
from actors.evaluate.sentence_similarity import score_pairs
from schemas.config import Config, EngineConfig
from schemas.errors import InputError
from schemas.protocols import Query
from tests.support.models import tiny

ENGINE = EngineConfig(kind="torch", precision="float32")
PAIRS = [("muscle pain", "pain", 3.5), ("hay fever", "asthma", 3.0), ("statin", "mice", 1.0), ("dose", "dose", 4.0)]


@pytest.fixture
def config(tmp_path: Path, tiny_encoder: Path) -> Config:
    """An encoder of two towers, of which the article tower is another model, and vectors of any length."""
    spec = tiny.spec(tiny_encoder, "cls", normalize=False)
    article = spec.article.model_copy(update={"model": str(tmp_path / "none")})
    return tiny.config(spec.model_copy(update={"article": article}), ENGINE, tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{first}\t{second}\t{score}\n" for first, second, score in PAIRS))
    return path


def test_both_sentences_go_through_the_query_tower(config: Config, file: Path) -> None:
    report = score_pairs(config, file, None)
    tower = QueryTower(config, 1)
    firsts = tower.encode([Query(first) for first, _, _ in PAIRS])
    seconds = tower.encode([Query(second) for _, second, _ in PAIRS])
    products = (firsts * seconds).sum(axis=1)
    cosines = products / np.linalg.norm(firsts, axis=1) / np.linalg.norm(seconds, axis=1)
    scores = [score for _, _, score in PAIRS]
    assert (report.encoder, report.pairs) == ("tiny", 4)
    assert report.inner_product.pearson == pytest.approx(np.corrcoef(products, scores)[0, 1], abs=1e-4)
    assert report.cosine.pearson == pytest.approx(np.corrcoef(cosines, scores)[0, 1], abs=1e-4)
    assert report.cosine != report.inner_product


def test_a_task_is_for_encoders_that_take_one(config: Config, file: Path) -> None:
    with pytest.raises(InputError, match="task 'find alike ones': tiny takes no task; leave it out"):
        score_pairs(config, file, "find alike ones")
    query = {"template": "{task} of {text}", "task": "asthma"}
    instructed = config.with_values(encoder={"query": query})
    own = config.with_values(encoder={"query": query | {"task": "muscle"}})
    assert (
        score_pairs(instructed, file, "muscle") == score_pairs(own, file, None) != score_pairs(instructed, file, None)
    )


def test_a_file_that_is_not_there_is_named(config: Config, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.tsv: No such file or directory; name an existing file"):
        score_pairs(config, tmp_path / "none.tsv", None)
