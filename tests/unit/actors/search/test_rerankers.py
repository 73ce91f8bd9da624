"""Re-rankers equal plain computation, in any composition of batches."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoModelForSequenceClassification

from actors.embed.towers import ArticleTower, QueryTower
from actors.search.rerankers import CrossEncoderReranker, MaxSimReranker
from schemas.article import DisplayArticle
from schemas.config import EngineConfig
from schemas.errors import InputError
from schemas.protocols import Match, Query, Scoring
from tests.support.models import tiny

ENGINE = EngineConfig(kind="torch", precision="float32", batch_tokens=48)  # two or three texts


def match(number: int, score: float = 0.0) -> Match:
    title, abstract = tiny.TEXTS[number % len(tiny.TEXTS)]
    return Match(score, DisplayArticle(number, None, title, abstract))


SCORINGS = [
    Scoring(Query("muscle pain"), [match(i, float(i)) for i in range(5)]),
    Scoring(Query("asthma"), []),
    Scoring(Query("hay fever in mice of asthma trial"), [match(3, 1.0), match(0, 1.0)]),
]


def load_cross_encoder(folder: Path) -> CrossEncoderReranker:
    return CrossEncoderReranker(folder, tiny.MAX_LENGTH, ENGINE, threads=1, cache=Path("unused"))


@pytest.fixture(scope="module")
def cross_encoder(tiny_classifier: Path) -> CrossEncoderReranker:
    return load_cross_encoder(tiny_classifier)


@pytest.fixture(scope="module")
def late_interaction(tiny_encoder: Path) -> MaxSimReranker:
    config = tiny.config(tiny.spec(tiny_encoder), ENGINE)
    return MaxSimReranker(QueryTower(config, 1), ArticleTower(config, 1))


def plain_logits(folder: Path, scoring: Scoring) -> list[float]:
    """Score the pairs one by one as the model card of MedCPT's cross-encoder says."""
    tokenizer = tiny.transformers_tokenizer(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    logits = []
    for _, article, _ in scoring.matches:
        pair = [[scoring.query.text, f"{article.title} {article.abstract}".strip()]]
        encoded = tokenizer(pair, truncation=True, padding=True, return_tensors="pt", max_length=tiny.MAX_LENGTH)
        with torch.no_grad():
            logits.append(model(**encoded).logits.squeeze(dim=1).item())
    return logits


def plain_max_sims(folder: Path, scoring: Scoring) -> list[float]:
    """For each passage, the mean over query tokens of the best cosine with any of its tokens."""
    tokenizer, model = tiny.transformers_tokenizer(folder), AutoModel.from_pretrained(folder)

    def token_vectors(text: str) -> torch.Tensor:
        encoded = tokenizer(text, truncation=True, return_tensors="pt", max_length=tiny.MAX_LENGTH)
        with torch.no_grad():
            return model(**encoded).last_hidden_state[0]

    query = token_vectors(scoring.query.text)
    sims = []
    for _, article, _ in scoring.matches:
        passage = token_vectors(f"{article.title} {article.abstract}".strip())
        best = [max(torch.cosine_similarity(q, p, dim=0).item() for p in passage) for q in query]
        sims.append(sum(best) / len(best))
    return sims


def z_scores(values: Sequence[float]) -> np.ndarray:
    return (np.array(values) - np.mean(values)) / np.std(values) if np.std(values) else np.zeros(len(values))


def test_cross_encoder_scores_are_the_models_logits(cross_encoder: CrossEncoderReranker, tiny_classifier: Path) -> None:
    for scoring, scores in zip(SCORINGS, cross_encoder.scores(SCORINGS), strict=True):
        expected = plain_logits(tiny_classifier, scoring)
        np.testing.assert_allclose([s.raw for s in scores], expected, rtol=0, atol=1e-5)
        assert [s.final for s in scores] == [s.raw for s in scores]
    spread = [s.raw for s in cross_encoder.scores(SCORINGS)[0]]
    assert max(spread) - min(spread) > 0.01


def test_late_interaction_is_the_mean_of_best_cosines_fused_with_retrieval(
    late_interaction: MaxSimReranker, tiny_encoder: Path
) -> None:
    for scoring, scores in zip(SCORINGS, late_interaction.scores(SCORINGS), strict=True):
        raw = plain_max_sims(tiny_encoder, scoring)
        np.testing.assert_allclose([s.raw for s in scores], raw, rtol=0, atol=1e-5)
        first = [m.score for m in scoring.matches]
        if raw:
            np.testing.assert_allclose([s.final for s in scores], z_scores(first) + z_scores(raw), atol=1e-3)


scorings = st.lists(
    st.builds(
        lambda query, numbers: Scoring(Query(" ".join(query)), [match(n, n / 10) for n in numbers]),
        st.lists(st.sampled_from(tiny.WORDS), min_size=1, max_size=10),
        st.lists(st.integers(0, 9), max_size=6),
    ),
    max_size=4,
)


@pytest.mark.parametrize("kind", ["cross_encoder", "late_interaction"])
@settings(max_examples=12)
@given(several=scorings)
def test_scores_do_not_depend_on_the_other_queries(
    kind: str,
    cross_encoder: CrossEncoderReranker,
    late_interaction: MaxSimReranker,
    several: list[Scoring],
) -> None:
    reranker = cross_encoder if kind == "cross_encoder" else late_interaction
    together = reranker.scores(several)
    assert [len(scores) for scores in together] == [len(s.matches) for s in several]
    for scoring, scores in zip(several, together, strict=True):
        [alone] = reranker.scores([scoring])
        np.testing.assert_allclose([s.raw for s in scores], [s.raw for s in alone], rtol=0, atol=1e-5)


def test_score_is_scores_off_the_event_loop(
    cross_encoder: CrossEncoderReranker, late_interaction: MaxSimReranker
) -> None:
    for reranker in (cross_encoder, late_interaction):
        assert asyncio.run(reranker.score(SCORINGS)) == reranker.scores(SCORINGS)


def test_a_classifier_of_several_labels_is_refused_by_name(tmp_path: Path) -> None:
    folder = tiny.classifier(tmp_path / "two", labels=2)
    with pytest.raises(InputError) as error:
        load_cross_encoder(folder)
    assert str(error.value) == f"{folder}: 2 labels; a re-ranker has one"
