"""The whole of verify against random models shaped as MedCPT's, a folder of them where PUBRAY_MODELS says."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import safetensors.torch
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel

from actors.fetch.embedded_wheels import embedded_folder
from jobs.__main__ import main
from jobs.common.config import ROOT

DIMENSION = 64
QUERIES = ["diabetes treatment", "How to treat diabetes?"]
ARTICLES = [
    ["Adipsic diabetes insipidus.", "A rare but devastating disorder of water balance. " * 80],  # more than 512 tokens
    ["Insulin in hay fever.", "Cromolyn was given to 12 patients."],
]


class Models(NamedTuple):
    """A folder for PUBRAY_MODELS, the sha256 of its pickle, and what plain transformers makes of its models."""

    folder: Path
    bin_sha256: str
    golden: str


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Models:
    root = tmp_path_factory.mktemp("models")
    tokenizer = AutoTokenizer.from_pretrained(embedded_folder("all-MiniLM-L6-v2", cache))
    names = ("Query-Encoder", "Article-Encoder", "Cross-Encoder")
    query, article, cross = (root / "ncbi" / f"MedCPT-{name}" for name in names)
    for seed, (folder, kind) in enumerate(
        [(query, BertModel), (article, BertModel), (cross, BertForSequenceClassification)]
    ):
        torch.manual_seed(seed)
        kind(tiny_config(len(tokenizer))).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    golden = as_toml(printed(query, article, cross, tokenizer))
    # As NCBI publishes it: a pickle, no safetensors.
    weights = cross / "model.safetensors"
    torch.save(safetensors.torch.load_file(weights), cross / "pytorch_model.bin")
    weights.unlink()
    return Models(root, hashlib.sha256((cross / "pytorch_model.bin").read_bytes()).hexdigest(), golden)


def tiny_config(vocabulary: int) -> BertConfig:
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=DIMENSION,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.3,  # so that texts differ by more than rounding
    )
    config.num_labels = 1
    return config


def printed(query: Path, article: Path, cross: Path, tokenizer: Any) -> dict[str, Any]:
    """Do as the README of github.com/ncbi/MedCPT, and keep what it would print."""
    settings = {"truncation": True, "padding": True, "return_tensors": "pt"}

    def ends(folder: Path, texts: Any, max_length: int) -> list[dict[str, list[float]]]:
        model = AutoModel.from_pretrained(folder)
        with torch.no_grad():
            encoded = tokenizer(texts, max_length=max_length, **settings)
            vectors = model(**encoded).last_hidden_state[:, 0, :]
        return [{"first": rounded(vector[:3]), "last": rounded(vector[-3:])} for vector in vectors]

    titles = [{"title": title, "abstract": abstract.strip()} for title, abstract in ARTICLES]
    pairs = [[QUERIES[0], f"{title} {abstract}".strip()] for title, abstract in ARTICLES]
    model = BertForSequenceClassification.from_pretrained(cross)
    with torch.no_grad():
        logits = rounded(model(**tokenizer(pairs, max_length=512, **settings)).logits.squeeze(dim=1))
    return {
        "query": [{"text": q, **end} for q, end in zip(QUERIES, ends(query, QUERIES, 64), strict=True)],
        "article": [t | end for t, end in zip(titles, ends(article, ARTICLES, 512), strict=True)],
        "logit": [t | {"logit": logit} for t, logit in zip(titles, logits, strict=True)],
    }


def rounded(numbers: torch.Tensor) -> list[float]:
    return [round(x, 4) for x in numbers.tolist()]


def as_toml(values: dict[str, Any]) -> str:
    """Write golden data out; JSON's strings and numbers are TOML's."""
    lines = ['encoders = ["MedCPT"]', 'source = "plain transformers"', "tolerance = 0.001"]
    for table, items in (("query", values["query"]), ("article", values["article"])):
        for item in items:
            lines += [f"[[{table}]]", *(f"{key} = {json.dumps(value)}" for key, value in item.items())]
    lines += ["[rerank]", f"query = {json.dumps(QUERIES[0])}"]
    for item in values["logit"]:
        lines += ["[[rerank.article]]", *(f"{key} = {json.dumps(value)}" for key, value in item.items())]
    return "\n".join(lines)


@pytest.fixture
def own_cache(tmp_path: Path, cache: Path) -> Path:
    """A cache without anything but the embedded data, which is not downloaded again."""
    embedded_folder("pubmed", cache)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "embedded").symlink_to(cache / "embedded")
    return tmp_path / "cache"


def arguments(models: Models, golden: Path, cache: Path) -> list[str]:
    settings = {
        "cache": cache,
        "encoder.dimension": DIMENSION,
        "rerank.bin_sha256": models.bin_sha256,
        "rerank.candidates": 20,
        "index.recall_floor": 0,  # random models make neighbours of all texts
    }
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    config = ROOT / "infra" / "config" / "medcpt.toml"
    return ["pubray", "--config", str(config), *sets, "verify", "--json", "--golden", str(golden)]


def call(monkeypatch: pytest.MonkeyPatch, models: Models, golden: Path, cache: Path) -> int:
    monkeypatch.setenv("PUBRAY_MODELS", str(models.folder))
    monkeypatch.setattr(sys, "argv", arguments(models, golden, cache))
    return main()


@pytest.mark.whole
def test_all_pass_and_a_thousand_articles_are_searched_and_re_ranked(
    cluster: None,
    models: Models,
    own_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden = tmp_path / "golden.toml"
    golden.write_text(models.golden)
    assert call(monkeypatch, models, golden, own_cache) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    names = ["query 1", "query 2", "article 1", "article 2", "logit 1", "logit 2"]
    assert [(check["what"], check["passed"]) for check in report["checks"]] == [(name, True) for name in names]
    assert err.count("PASS") == 6
    assert report["failures"] == []
    assert (report["articles"], report["store"]) == (1000, str(own_cache / "verify" / "MedCPT"))
    assert list(report["seconds"]) == ["ingest", "embed", "index", "load", "search"]
    assert len(report["answers"]) == 3
    for answer in report["answers"]:
        assert {hit["score_kind"] for hit in answer["hits"]} == {"logit"}
        assert len(answer["hits"]) == 10
        assert [hit["score"] for hit in answer["hits"]] == sorted((h["score"] for h in answer["hits"]), reverse=True)
        assert set(answer["milliseconds"]) == {"encode", "search", "rerank"}
    [converted] = (own_cache / "converted").iterdir()
    assert converted.name.startswith(models.bin_sha256)


def test_one_other_number_fails_by_name_and_nothing_is_searched(
    models: Models,
    own_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden = tmp_path / "golden.toml"
    logit = models.golden.rindex("logit = ") + len("logit = ")
    golden.write_text(f"{models.golden[:logit]}{float(models.golden[logit:]) + 0.01}")
    assert call(monkeypatch, models, golden, own_cache) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["failures"] == ["logit 2"]
    assert "FAIL" in err
    assert err.endswith("pubray: not as it should be: logit 2\n")
    assert not (own_cache / "verify").exists()


@pytest.mark.parametrize("lacking", ["all three", "the cross-encoder"])
def test_without_weights_it_says_so_soon_and_has_an_exit_code_of_its_own(
    lacking: str, models: Models, own_cache: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "some"
    (folder / "ncbi").mkdir(parents=True)
    if lacking == "the cross-encoder":
        for name in ("MedCPT-Query-Encoder", "MedCPT-Article-Encoder"):
            (folder / "ncbi" / name).symlink_to(models.folder / "ncbi" / name)
    golden = tmp_path / "golden.toml"
    golden.write_text(models.golden)
    unreachable = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0"}
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "jobs", *arguments(models, golden, own_cache)[1:]],
        env={**os.environ, **unreachable, "PUBRAY_MODELS": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert time.monotonic() - start < 30
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    model = "ncbi/MedCPT-Query-Encoder" if lacking == "all three" else "ncbi/MedCPT-Cross-Encoder"
    assert done.stderr.startswith(f"pubray: model '{model}': no folder of that name, none in PUBRAY_MODELS, and ")
    assert done.stderr.endswith(f"put its files into F/{model} and set PUBRAY_MODELS=F\n")
