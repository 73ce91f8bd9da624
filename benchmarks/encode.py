"""Articles per second of the encoder against the plain way, on real abstracts of the demo's store.

    python benchmarks/encode.py [--store pubray-store] [--articles 256]

The rival is transformers in float32 with batches of 32 sorted by length, which is what sentence-transformers does by
default. Both use all cores and take turns; the ratio is that of the medians. Tokenising is part of both.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from actors.encoder import ArticleTower
from actors.models import model_folder
from actors.searcher import IndexSearcher
from jobs.config import load_config
from jobs.console import say, table
from jobs.store import open_layout, served_version
from jobs.threads import available_threads
from schemas.config import Config
from schemas.protocols import ArticleText

ROUNDS = 4
RIVAL_BATCH = 32

Texts = Sequence[ArticleText]


def main() -> None:
    """Print one row per engine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", default="pubray-store")
    parser.add_argument("--articles", type=int, default=256)
    options = parser.parse_args()
    config = load_config(None, [], {"PUBRAY_STORE": options.store})
    texts = real_texts(config, options.articles)
    torch.set_num_threads(available_threads())
    spec = config.encoder
    encoder = ArticleTower(spec, config.engine, threads=available_threads(), cache=Path(config.cache))
    ways: dict[str, Callable[[Texts], object]] = {
        "pubray": lambda texts: encoder.vectors(encoder.tokens(texts)),
        "transformers float32": plain_way(config),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, encode in ways.items():
            start = time.perf_counter()
            encode(texts)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: float(np.median(times[1:])) for name, times in seconds.items()}  # the first round warms up
    rival = medians["transformers float32"]
    tokens = sum(len(t.ids) for t in encoder.tokens(texts))
    say(f"{len(texts)} articles of {tokens / len(texts):.0f} tokens, {available_threads()} cores")
    rows = [[name, len(texts) / s, tokens / s, rival / s] for name, s in medians.items()]
    say(table(["engine", "articles/s", "tokens/s", "ratio"], rows))


def real_texts(config: Config, count: int) -> Texts:
    """Return title and abstract of random articles of the served version."""
    layout = open_layout(config)
    [segment, *_] = IndexSearcher(layout, served_version(layout)).segments
    rows = np.random.default_rng(0).choice(len(segment.articles), min(count, len(segment.articles)), replace=False)
    records = segment.articles.select(["title", "abstract"]).take(rows).to_pylist()
    return [ArticleText(record["title"], record["abstract"]) for record in records]


def plain_way(config: Config) -> Callable[[Texts], object]:
    """Return the rival."""
    tower = config.encoder.article
    folder = model_folder(tower.model, tower.revision, Path(config.cache))
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def encode(texts: Texts) -> list[torch.Tensor]:
        laid_out = sorted((f"{text.title} {text.abstract}".strip() for text in texts), key=len, reverse=True)
        vectors = []
        for start in range(0, len(laid_out), RIVAL_BATCH):
            batch = tokenizer(
                laid_out[start : start + RIVAL_BATCH],
                padding=True,
                truncation=True,
                max_length=tower.max_length,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            vectors.append((hidden * mask).sum(1) / mask.sum(1))
        return vectors

    return encode


if __name__ == "__main__":
    main()
