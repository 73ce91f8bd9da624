"""One folder, loaded here and by sentence-transformers: the same vectors."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

from actors.embed.towers import ArticleTower, QueryTower
from actors.fetch.embedded_wheels import embedded_folder
from jobs.common.config import load_config
from retrieval.articles.article import Rejects
from retrieval.ingest.readers import open_source
from schemas.config import EngineConfig
from schemas.encoder import PREFIX, EncoderSpec
from schemas.protocols import ArticleText, Query
from tests.support.models import tiny
from tests.support.models.backbones import bert, causal

Floats = NDArray[np.float32]

CACHE = Path("~/.cache/pubray").expanduser()
"""The user's own, so that model and data are downloaded once and not by every run."""
MINILM = "all-MiniLM-L6-v2"
FLOAT32 = EngineConfig(kind="torch", precision="float32")


@pytest.fixture(scope="module")
def articles(whole: bool) -> list[ArticleText]:
    """The first of 2021."""
    with open_source(embedded_folder("pubmed", CACHE) / "pubmed21n1298.xml.gz", Rejects()) as batches:
        rows = (row for batch in batches for row in batch.select(["title", "abstract"]).to_pylist())
        return list(islice((ArticleText(**row) for row in rows if row["abstract"]), 200 if whole else 20))


def derived(folder: Path, model: str) -> EncoderSpec:
    """Return the spec that a config file with nothing but the model's name has."""
    file = folder / "config.toml"
    file.write_text(f"store = 'x'\ncache = '{CACHE}'\n[encoder]\nsentence_transformers = '{model}'\n")
    return load_config(str(file), [], {}).encoder


def ours(spec: EncoderSpec, engine: EngineConfig, articles: list[ArticleText]) -> tuple[Floats, Floats]:
    """Return the vectors of the articles, and of their titles as queries."""
    config = tiny.config(spec, engine, CACHE)
    article, query = ArticleTower(config, 2), QueryTower(config, 2)
    return article.encode(articles), query.encode([Query(a.title) for a in articles])


def theirs(folder: Path, articles: list[ArticleText]) -> tuple[Floats, Floats]:
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    texts, titles = [" ".join(article).strip() for article in articles], [article.title for article in articles]
    return model.encode_document(texts), model.encode_query(titles)


@pytest.fixture(scope="module")
def expected(articles: list[ArticleText]) -> tuple[Floats, Floats]:
    return theirs(embedded_folder(MINILM, CACHE), articles)


@pytest.mark.parametrize(
    ("kind", "precision", "cosine"),
    [
        ("torch", "float32", 0.9999),
        pytest.param("torch", "bfloat16", 0.999, marks=pytest.mark.whole),
        pytest.param("openvino", "float32", 0.9999, marks=pytest.mark.whole),
        ("openvino", "auto", 0.999),  # bfloat16 where the processor has it
    ],
)
def test_minilms_vectors_of_real_articles_are_the_same(
    kind: str,
    precision: str,
    cosine: float,
    articles: list[ArticleText],
    expected: tuple[Floats, Floats],
    tmp_path: Path,
) -> None:
    engine = EngineConfig.model_validate({"kind": kind, "precision": precision})
    for vectors, wanted in zip(ours(derived(tmp_path, PREFIX + MINILM), engine, articles), expected, strict=True):
        assert vectors.shape == (len(articles), 384)
        assert (vectors * wanted).sum(axis=1).min() >= cosine
        assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-5


Change = Callable[[Path], Any]


def of_version_2(folder: Path) -> Path:
    """Rewrite the files that describe a saved model as sentence-transformers 2 had them, lower-casing asked for."""
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds.items()]
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    named = [{"idx": i, "name": str(i)} | module for i, module in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(named))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "2_Normalize" / "config.json").unlink()
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 128, "do_lower_case": True}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"__version__": {}}))
    return folder


def saved(folder: Path, modules: list[Any], **settings: Any) -> Path:
    model = SentenceTransformer(modules=modules, device="cpu", **settings)
    model.save(str(folder), create_model_card=False)
    return folder


def cls_and_inner_product(folder: Path) -> Path:
    modules = [Transformer(str(bert(folder / "weights", seed=1))), Pooling(32, "cls")]
    return saved(folder / "model", modules, similarity_fn_name="dot")


def prompts_with_braces_and_two_lengths(folder: Path) -> Path:
    transformer = Transformer(str(bert(folder / "weights", seed=2)), query_length=16, document_length=64)
    prompts = {"query": '{"task": "{text}"} query: ', "document": "{} title: none | text: "}
    return saved(folder / "model", [transformer, Pooling(32, "mean"), Normalize()], prompts=prompts)


def last_token_of_a_causal_model(folder: Path) -> Path:
    transformer = Transformer(str(causal(folder / "weights", "gemma")), max_seq_length=100)
    return saved(folder / "model", [transformer, Pooling(32, "lasttoken"), Normalize()], prompts={"query": "Q:\n"})


def old_format_lower_cased(folder: Path) -> Path:
    modules = [Transformer(str(bert(folder / "weights", seed=3))), Pooling(32, "mean"), Normalize()]
    return of_version_2(saved(folder / "model", modules))


def length_of_the_positions(folder: Path) -> Path:
    weights = bert(folder / "weights", seed=4)
    (weights / "tokenizer_config.json").write_text(
        json.dumps(json.loads((weights / "tokenizer_config.json").read_text()) | {"model_max_length": 10**30})
    )
    return saved(folder / "model", [Transformer(str(weights)), Pooling(32, "mean"), Normalize()])


@pytest.mark.parametrize(
    "model",
    [
        cls_and_inner_product,
        prompts_with_braces_and_two_lengths,
        last_token_of_a_causal_model,
        old_format_lower_cased,
        length_of_the_positions,
    ],
    ids=lambda model: model.__name__,
)
def test_a_saved_models_vectors_are_the_same(
    model: Callable[[Path], Path], articles: list[ArticleText], tmp_path: Path
) -> None:
    folder = model(tmp_path)
    found, wanted = ours(derived(tmp_path, str(folder)), FLOAT32, articles[:40]), theirs(folder, articles[:40])
    for vectors, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


def test_cosine_similarity_without_a_module_that_normalises_is_that_of_units(
    articles: list[ArticleText], tmp_path: Path
) -> None:
    modules = [Transformer(str(bert(tmp_path / "weights", seed=5))), Pooling(32, "mean")]
    folder = saved(tmp_path / "model", modules)
    (found, _), (wanted, _) = (
        ours(derived(tmp_path, str(folder)), FLOAT32, articles[:40]),
        theirs(folder, articles[:40]),
    )
    similarity = SentenceTransformer(str(folder), device="cpu").similarity(wanted, wanted)
    np.testing.assert_allclose(found @ found.T, similarity.numpy(), rtol=0, atol=1e-5)


def test_a_passage_prompt_is_used_where_none_is_called_document(articles: list[ArticleText], tmp_path: Path) -> None:
    """sentence-transformers says so too, but 6.2 takes its own empty default for "document" first."""
    modules = [Transformer(str(bert(tmp_path / "weights", seed=6))), Pooling(32, "mean"), Normalize()]
    folder = saved(tmp_path / "model", modules, prompts={"query": "query: ", "passage": "passage: "})
    texts = [" ".join(article).strip() for article in articles[:10]]
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts, prompt_name="passage")
    vectors, _ = ours(derived(tmp_path, str(folder)), FLOAT32, articles[:10])
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)
