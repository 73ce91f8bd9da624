"""The checks pass for what plain transformers computes, and fail for another number or another procedure."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification

from actors.evaluate.golden_checks import check_articles, check_queries, check_reranker
from schemas.config import Config, EngineConfig, RerankConfig
from schemas.errors import WeightsError
from schemas.golden import Golden, parse_golden
from tests.support.models import tiny, tiny_causal

ENGINE = EngineConfig(kind="torch", precision="float32")
QUERIES = ["muscle pain", "hay fever in mice"]


@pytest.fixture
def medcpt(tmp_path: Path, tiny_encoder: Path, tiny_classifier: Path) -> Config:
    """Two towers and a cross-encoder, as MedCPT's."""
    return Config(
        store="unused",
        cache=str(tmp_path),
        encoder=tiny.spec(tiny_encoder, "cls", normalize=False, pair=True),
        engine=ENGINE,
        rerank=RerankConfig(kind="cross-encoder", model=str(tiny_classifier), max_length=tiny.MAX_LENGTH),
    )


@pytest.fixture
def printed(tiny_encoder: Path, tiny_classifier: Path) -> dict[str, Any]:
    """Golden data that the README of MedCPT would print of the tiny models, rounded as it does."""
    tokenizer, model = tiny.transformers_tokenizer(tiny_encoder), AutoModel.from_pretrained(tiny_encoder)
    classifier = AutoModelForSequenceClassification.from_pretrained(tiny_classifier)
    settings = {"truncation": True, "padding": True, "return_tensors": "pt", "max_length": tiny.MAX_LENGTH}

    def ends(texts: Any) -> list[dict[str, list[float]]]:
        with torch.no_grad():
            vectors = model(**tokenizer(texts, **settings)).last_hidden_state[:, 0, :]
        return [{"first": rounded(v[:3]), "last": rounded(v[-3:])} for v in vectors]

    articles = [{"title": title, "abstract": abstract} for title, abstract in tiny.TEXTS]
    pairs = [[QUERIES[0], f"{title} {abstract}".strip()] for title, abstract in tiny.TEXTS]
    with torch.no_grad():
        logits = rounded(classifier(**tokenizer(pairs, **settings)).logits.squeeze(dim=1))
    return {
        "encoders": ["tiny"],
        "source": "README",
        "tolerance": 0.001,
        "query": [{"text": text, **end} for text, end in zip(QUERIES, ends(QUERIES), strict=True)],
        "article": [a | end for a, end in zip(articles, ends([list(t) for t in tiny.TEXTS]), strict=True)],
        "rerank": {
            "query": QUERIES[0],
            "article": [a | {"logit": logit} for a, logit in zip(articles, logits, strict=True)],
        },
    }


def rounded(numbers: torch.Tensor) -> list[float]:
    return [round(x, 4) for x in numbers.tolist()]


def failed(config: Config, golden: Golden) -> list[str]:
    checks = [c for check in (check_queries, check_articles, check_reranker) for c in check(config, golden)]
    assert len(checks) >= 4
    return [check.what for check in checks if not check.passed]


def test_what_the_authors_print_passes(medcpt: Config, printed: dict[str, Any]) -> None:
    assert failed(medcpt, parse_golden(printed, "f")) == []


def test_another_number_fails_by_name(medcpt: Config, printed: dict[str, Any]) -> None:
    printed["query"][1]["last"][2] += 0.01
    printed["article"][3]["first"][0] += 0.01
    printed["rerank"]["article"][4]["logit"] += 0.01
    assert failed(medcpt, parse_golden(printed, "f")) == ["query 2", "article 4", "logit 5"]


@pytest.mark.parametrize("change", [{"pooling": "mean"}, {"normalize": True}], ids=lambda change: next(iter(change)))
def test_another_procedure_fails(change: dict[str, Any], medcpt: Config, printed: dict[str, Any]) -> None:
    config = medcpt.model_copy(update={"encoder": medcpt.encoder.model_copy(update=change)})
    assert set(failed(config, parse_golden(printed, "f"))) >= {"query 1", "query 2", "article 1"}


def test_title_and_abstract_as_one_segment_fail(medcpt: Config, printed: dict[str, Any]) -> None:
    one = medcpt.encoder.article.model_copy(update={"pair": False})
    config = medcpt.model_copy(update={"encoder": medcpt.encoder.model_copy(update={"article": one})})
    found = failed(config, parse_golden(printed, "f"))
    assert found == [f"article {number}" for number in range(1, 6)]


def test_without_a_cross_encoder_no_logits_are_compared(medcpt: Config, printed: dict[str, Any]) -> None:
    none = medcpt.model_copy(update={"rerank": RerankConfig(kind="none")})
    assert check_reranker(none, parse_golden(printed, "f")) == []
    del printed["rerank"]
    assert check_reranker(medcpt, parse_golden(printed, "f")) == []


def test_a_model_that_is_nowhere_is_told(medcpt: Config, printed: dict[str, Any]) -> None:
    spec = medcpt.encoder.model_copy(
        update={"query": medcpt.encoder.query.model_copy(update={"model": "owner/nowhere"})}
    )
    with pytest.raises(WeightsError, match="owner/nowhere"):
        check_queries(medcpt.model_copy(update={"encoder": spec}), parse_golden(printed, "f"))


BY_PROCEDURE = {
    "encoders": ["tiny causal"],
    "source": "eval.py",
    "procedure": "bmretriever",
    "tolerance": 0.001,
    "query": [{"text": "muscle pain"}, {"text": "hay fever", "task": "Query this"}],
    "article": [
        {"title": "Statin", "abstract": "muscle pain in mice"},
        {"title": "", "abstract": " ".join(tiny.WORDS * 50)},  # longer than 512 tokens
    ],
}


@pytest.fixture
def bmretriever(tmp_path: Path) -> Config:
    folder = tiny_causal.model(tmp_path / "causal")
    return Config(
        store="unused",
        cache=str(tmp_path),
        encoder=tiny_causal.spec(folder),
        engine=ENGINE,
        rerank=RerankConfig(kind="none"),
    )


def test_our_towers_do_as_bmretrievers_authors(bmretriever: Config) -> None:
    assert failed(bmretriever, parse_golden(BY_PROCEDURE, "f")) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"append_eos": False}, ["query 1", "query 2", "article 1", "article 2"]),
        ({"max_length": 511}, ["article 2"]),
        ({"template": "{text}"}, ["article 1", "article 2"]),
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_towers_fail_against_their_procedure(
    change: dict[str, Any], found: list[str], bmretriever: Config
) -> None:
    spec = bmretriever.encoder
    query = {} if "template" in change else change
    towers = {"query": spec.query.model_copy(update=query), "article": spec.article.model_copy(update=change)}
    config = bmretriever.model_copy(update={"encoder": spec.model_copy(update=towers)})
    assert failed(config, parse_golden(BY_PROCEDURE, "f")) == found
