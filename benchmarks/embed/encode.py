"""The encoder and the job around it, as ratios against rivals and limits of the same run.

    python -m benchmarks.embed.encode engine    [--articles 2048] [--device auto|cpu|cuda]   about 8 minutes on 2 cores
    python -m benchmarks.embed.encode pipeline  [--articles 10000]                            about 8 minutes
    python -m benchmarks.embed.encode host      [--articles 10000]                            about 3 minutes
    python -m benchmarks.embed.encode scaling                                                 about 10 minutes

engine: articles/s against sentence-transformers with its defaults and in bfloat16, and the share of the GEMM peak.
pipeline: the `embed` job against the bare engine. host: the job without an encoder against the bare tokenizer.
scaling: one, two and four encoder actors; cost per article with more articles. All on real abstracts of PubMed.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from actors.embed.towers import ArticleTower
from actors.engine.cpu_threads import available_threads
from actors.fetch.model_folders import model_folder
from benchmarks.embed.embed_job import base_store, host_seconds, real_articles, timed_job, tokenizer_seconds
from jobs.common.console import say, table
from schemas.config import Config, EmbedConfig
from schemas.protocols import ArticleText

ROUNDS = 2
OURS = "pubray"

Texts = Sequence[ArticleText]


def main() -> None:
    """Print the tables of one part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["engine", "pipeline", "host", "scaling"])
    parser.add_argument("--articles", type=int)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    options = parser.parse_args()
    settings = [
        f"engine.device={options.device}",
        f"embed.num_gpus={int(options.device == 'cuda')}",
        f"embed.rows_per_part={EmbedConfig().rows_per_part}",  # the default; the demo's parts are small
    ]
    config = base_store(settings)
    torch.set_num_threads(available_threads())
    {"engine": engine, "pipeline": pipeline, "host": host, "scaling": scaling}[options.part](
        config, settings, options.articles
    )


def engine(config: Config, settings: list[str], count: int | None) -> None:
    """Let the engines take turns, and between them the GEMM; a figure is the median of the rounds."""
    _, texts = real_articles(config, count or 2048)
    tower = load_tower(config)
    tokens = tower.tokens(texts)
    ways: dict[str, Callable[[Texts], object]] = {
        OURS: lambda texts: tower.vectors(tower.tokens(texts)),
        "sentence-transformers, default": plain_way(config, torch.float32),
        "sentence-transformers, bfloat16": plain_way(config, torch.bfloat16),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    peaks = []
    for encode in ways.values():
        encode(texts[:64])  # to warm up
    for _ in range(ROUNDS):
        for name, encode in ways.items():
            seconds[name].append(timed(encode, texts))
            peaks.append(tower.peak())
    ours, length = float(np.median(seconds[OURS])), sum(len(t.ids) for t in tokens)
    say(f"{len(texts)} articles of {length / len(texts):.0f} tokens, {available_threads()} cores")
    rows = [[n, len(texts) / np.median(s), length / np.median(s), np.median(s) / ours] for n, s in seconds.items()]
    say(table(["engine", "articles/s", "tokens/s", "slower than pubray"], rows))
    achieved = tower.flops(tokens) / ours
    say(
        f"{achieved / 1e9:,.0f} GFLOP/s of a GEMM peak of {np.median(peaks) / 1e9:,.0f} (median of {len(peaks)}, best "
        f"{max(peaks) / 1e9:,.0f}): {achieved / np.median(peaks):.1%}; of the best {achieved / max(peaks):.1%}"
    )


def pipeline(config: Config, settings: list[str], count: int | None) -> None:
    """Run the job, and before and after it the bare engine on a fifth of its articles."""
    pmids, texts = real_articles(config, count or 10_000)
    tower = load_tower(config)
    sample = tower.tokens(texts[: len(texts) // 5])
    length = sum(len(t.ids) for t in sample)
    tower.vectors(sample[:64])
    before = length / timed(tower.vectors, sample)
    report = timed_job(config, settings, pmids)
    after = length / timed(tower.vectors, sample)
    bare = (before + after) / 2
    say(f"{len(pmids):,} articles, {report['tokens'] / len(pmids):.0f} tokens each")
    say(
        table(
            ["", "tokens/s", "of the bare engine"],
            [
                ["bare engine, before", before, before / bare],
                ["bare engine, after", after, after / bare],
                ["embed, after start-up", report["tokens_per_second"], report["tokens_per_second"] / bare],
            ],
        )
    )
    outside = report["wall_seconds"] - (report["seconds"] - report["start_up_seconds"])
    say(
        f"start-up and exit {outside:.1f} s, padding {report['padding_waste']:.2%}, waiting for input "
        f"{report['waiting']:.2%}, MFU {report['mfu']:.1%}"
    )


def host(config: Config, settings: list[str], count: int | None) -> None:
    """Run the job without an encoder, twice the articles the second time: the difference is free of start-up."""
    pmids, texts = real_articles(config, 2 * (count or 10_000))
    half = len(pmids) // 2
    host_seconds(config, pmids[:1000])
    first, second = host_seconds(config, pmids[:half]), host_seconds(config, pmids)
    bare = tokenizer_seconds(config, texts[half:])
    whole = second - first
    rows = [
        ["tokenizer alone", half / bare, 1.0],
        ["read, tokenise, batch, write, and Ray", half / whole, bare / whole],
    ]
    say(f"{half:,} articles more")
    say(table(["", "articles per CPU second", "of the tokenizer"], rows))
    say(f"a GPU of 10,000 articles/s takes {10_000 * whole / half:.1f} of these cores")


def scaling(config: Config, settings: list[str], count: int | None) -> None:
    """Run the job with more actors, and without an encoder over more articles."""
    pmids, _ = real_articles(config, 1 << 20)
    rows: list[list[Any]] = []
    for actors in (1, 2, 4):
        threads = max(1, available_threads() // actors)
        own = [*settings, f"embed.actors={actors}", f"embed.threads={threads}", "embed.rows_per_part=1024"]
        report = timed_job(config, own, pmids[: count or 3000])
        rows.append([actors, threads, report["encoded"], report["articles_per_second"], report["waiting"]])
    say(table(["actors", "threads each", "articles", "articles/s after start-up", "waiting for input"], rows))
    rows = []
    for size in (1000, 10_000, len(pmids)):
        seconds = host_seconds(config, pmids[:size])
        rows.append([size, seconds, seconds / size * 1e3])
    say(table(["articles", "CPU seconds without an encoder", "ms each, start-up included"], rows))


def load_tower(config: Config) -> ArticleTower:
    """Load the article tower with all cores."""
    return ArticleTower(config, available_threads())


def plain_way(config: Config, dtype: torch.dtype) -> Callable[[Texts], object]:
    """Return the rival: `SentenceTransformer.encode` with its defaults, in a number format."""
    spec = config.encoder
    folder = model_folder(spec.article.model, spec.article.revision, Path(config.cache))
    model = SentenceTransformer(str(folder), model_kwargs={"dtype": dtype})
    model.max_seq_length = spec.article.max_length
    return lambda texts: model.encode([f"{t.title} {t.abstract}".strip() for t in texts], show_progress_bar=False)


def timed(function: Callable[[Any], object], argument: object) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
