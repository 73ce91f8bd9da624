"""A cross-encoder goes through the whole service: a tiny one with random weights."""

from pathlib import Path

import httpx
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from actors.fetch.embedded_wheels import embedded_folder
from jobs import serve
from schemas.config import Config, EngineConfig, RerankConfig
from schemas.manifest import IndexVersion
from tests.cluster.conftest import free_port, stop_serving


def tiny_cross_encoder(folder: Path, cache: Path) -> BertForSequenceClassification:
    tokenizer = AutoTokenizer.from_pretrained(embedded_folder("all-MiniLM-L6-v2", cache))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.5,  # so that logits differ by more than rounding
    )
    config.num_labels = 1
    model = BertForSequenceClassification(config)
    model.train(False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def test_hits_come_in_the_order_of_its_logits(
    version: IndexVersion, config: Config, cache: Path, tmp_path: Path
) -> None:
    model = tiny_cross_encoder(tmp_path / "model", cache)
    own = config.model_copy(
        update={
            "engine": EngineConfig(precision="float32"),
            "rerank": RerankConfig(kind="cross-encoder", model=str(tmp_path / "model"), candidates=10),
            "serve": config.serve.model_copy(update={"port": free_port()}),
        }
    )
    url = serve.deploy(own)
    try:
        answer = httpx.post(f"{url}/v1/search", json={"query": "insulin and glucose", "k": 10}, timeout=60).json()
    finally:
        stop_serving()
    assert {hit["score_kind"] for hit in answer["hits"]} == {"logit"}
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    texts = [f"{hit['title']} {hit['abstract']}" for hit in answer["hits"]]
    pairs = tokenizer(
        ["insulin and glucose"] * len(texts), texts, padding=True, truncation=True, max_length=512, return_tensors="pt"
    )
    with torch.inference_mode():
        logits = model(**pairs).logits[:, 0]
    assert torch.equal(logits.argsort(descending=True), torch.arange(len(texts)))
    served = torch.tensor([hit["score"] for hit in answer["hits"]])
    assert torch.allclose(served, logits, atol=1e-3)
