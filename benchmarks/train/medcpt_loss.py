"""MedCPT's loss: ours beside its authors' six lines, on the same 32 pairs.

    python -m benchmarks.train.medcpt_loss [--file train.jsonl --queries qid2info.json --texts pmid2info.json]

Both read the same files in MedCPT's layout; where none are named they are made of the demo's articles, each with its
title as query. Ours goes the way that a run goes: the reader of `pubray mine --file`, the towers, their gradient, with
the hyper-parameters of infra/config/train-medcpt.toml, but in float32 and without dropout. The authors' is written out
in plain transformers and torch. Both have MedCPT's weights where they are at hand, else, laid out as MedCPT's are,
those of the embedded model. Ends with 1 if the two differ by more than 1e-5.
"""

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import log_softmax, nll_loss

from actors.fetch.embedded_wheels import embedded_folder
from actors.fetch.stored_models import folder_of
from actors.train.adapted_models import prepared
from actors.train.peers import Alone
from actors.train.retriever.gradients import Gradients, TextBatch
from actors.train.retriever.trained_towers import SIDES, Side, Towers
from jobs.common.config import ROOT, load_config
from jobs.common.console import fail, log, say, table
from jobs.steps.demo.demo_data import BASELINE
from retrieval.articles.article import Rejects
from retrieval.ingest.readers import open_source
from retrieval.train.pairs.pair_files import PairReader, read_articles_of, read_queries_of
from schemas.config import Config
from schemas.errors import PubrayError, UsageError, WeightsError
from schemas.protocols import Query

CONFIG, TRAINED = (ROOT / "infra" / "config" / name for name in ("train-medcpt.toml", "medcpt.toml"))
"""How they trained, and what came of it."""
EMBEDDED = {"model": "embedded:all-MiniLM-L6-v2", "revision": None}
CLICKS = (1, 2, 5, 40)
"""Made, in turn: nobody clicked on the demo's articles."""
TOLERANCE = 1e-5
ALPHA, QUERY_LENGTH, ARTICLE_LENGTH = 0.8, 64, 512
"""The authors'."""


class Files(NamedTuple):
    """Pairs in MedCPT's layout."""

    pairs: Path
    queries: Path
    texts: Path


def main() -> int:
    """Print both losses; return 1 if they differ."""
    parser = argparse.ArgumentParser()
    for name in ("file", "queries", "texts"):
        parser.add_argument(f"--{name}", type=Path)
    named = vars(parser.parse_args()).values()
    try:
        config = with_weights(load_config(str(CONFIG), [], dict(os.environ)))
        with tempfile.TemporaryDirectory() as folder:
            return compare(config, files_of([*named]) or demo_files(Path(folder), config))
    except PubrayError as error:
        return fail(str(error), error.exit_code)


def compare(config: Config, files: Files) -> int:
    """Print the losses of the first batch of pairs; return 1 if they differ."""
    folders: dict[Side, Path] = {side: folder_of(getattr(config.encoder, side), config) for side in SIDES}
    ours, theirs = our_loss(config, folders, files), authors_loss(folders, files, config.train.batch)
    difference = abs(ours - theirs)
    verdict = "PASS" if difference <= TOLERANCE else "FAIL"
    rows = [
        ["pubray", f"{ours:.7f}", ""],
        ["the authors' six lines", f"{theirs:.7f}", ""],
        ["difference", f"{difference:.1e}", verdict],
    ]
    say(table([f"MedCPT's loss with {config.encoder.article.model}", "", f"(up to {TOLERANCE:g})"], rows))
    return int(verdict == "FAIL")


def our_loss(config: Config, folders: dict[Side, Path], files: Files) -> float:
    """Return the loss of a batch as a run has it.

    Raises:
        InputError, UsageError: of the files; of a pair there is no text.
    """
    of = config.train.model_copy(update={"precision": "float32", "dropout": False})
    found = PairReader(read_queries_of(files.queries), read_articles_of(files.texts)).read(files.pairs)
    pairs = found.pairs[: of.batch]
    if found.skipped or not all(pair.positive in found.texts for pair in pairs):
        raise UsageError(f"{files.pairs}: some of it is not in {files.queries} and {files.texts}; name those with it")
    towers = Towers(config.encoder, folders, of).change(partial(prepared, config=of, task="FEATURE_EXTRACTION"))
    batch = TextBatch(
        towers.tokens([Query(pair.query) for pair in pairs], [found.texts[pair.positive] for pair in pairs]),
        weights=np.array([pair.weight for pair in pairs], np.float32),
        query_keys=np.unique([pair.query for pair in pairs], return_inverse=True)[1],
        text_keys=np.unique([pair.positive for pair in pairs], return_inverse=True)[1],
    )
    return float(Gradients(towers, None, Alone(), of).add(batch, step=0)["contrast"])


def authors_loss(folders: dict[Side, Path], files: Files, count: int) -> float:
    """Return the loss of the first pairs, by https://github.com/ncbi/MedCPT (retriever/main.py); no code of ours."""
    queries, articles = (json.loads(path.read_text()) for path in (files.queries, files.texts))
    pairs = [json.loads(line) for line in files.pairs.read_text().splitlines()[:count]]
    clicks = torch.tensor([float(pair["click"]) for pair in pairs])
    query_vectors = cls_vectors(folders["query"], [queries[pair["qid"]] for pair in pairs], QUERY_LENGTH)
    article_vectors = cls_vectors(folders["article"], [articles[pair["pmid"]] for pair in pairs], ARTICLE_LENGTH)

    scores = query_vectors @ article_vectors.T
    right, weights = torch.arange(len(pairs)), torch.log2(clicks + 1)
    of_queries = nll_loss(log_softmax(scores, 1), right, weight=weights)
    of_articles = nll_loss(log_softmax(scores.T, 1), right, weight=weights)
    return float(ALPHA * of_queries + (1 - ALPHA) * of_articles)


@torch.no_grad()
def cls_vectors(folder: Path, texts: list[Any], length: int) -> torch.Tensor:
    """Return the first token's vector of each text, or pair of texts."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    inputs = tokenizer(texts, truncation=True, padding=True, max_length=length, return_tensors="pt")
    vectors: torch.Tensor = model(**inputs).last_hidden_state[:, 0]
    return vectors


def with_weights(config: Config) -> Config:
    """Return the configuration with MedCPT's weights, or else with those of the embedded model."""
    config = config.with_values(encoder=load_config(str(TRAINED), [], {}).encoder.model_dump())
    try:
        for side in SIDES:
            folder_of(getattr(config.encoder, side), config)
    except WeightsError as error:
        log(f"{error}; the embedded model is used instead")
        return config.with_values(encoder={"query": EMBEDDED, "article": EMBEDDED, "dimension": 384})
    return config


def files_of(named: list[Path | None]) -> Files | None:
    """Return the files that are named; UsageError: some are, and not all of them."""
    given = [path for path in named if path]
    if given and len(given) < len(named):
        raise UsageError("--file, --queries and --texts go together; name all three, or none")
    return Files(*given) if given else None


def demo_files(folder: Path, config: Config) -> Files:
    """Write pairs of the demo's articles as MedCPT's are written."""
    path = embedded_folder("pubmed", Path(config.cache)) / BASELINE
    with open_source(path, Rejects()) as batches:
        rows = next(batches).select(["pmid", "title", "abstract"]).to_pylist()
    whole = [row for row in rows if row["title"] and row["abstract"]]
    articles = {str(row["pmid"]): row for row in whole[: config.train.batch]}
    files = Files(*(folder / name for name in ("train.jsonl", "qid2info.json", "pmid2info.json")))
    pairs = [{"qid": p, "pmid": p, "click": CLICKS[i % len(CLICKS)]} for i, p in enumerate(articles)]
    files.pairs.write_text("\n".join(map(json.dumps, pairs)))
    files.queries.write_text(json.dumps({pmid: one["title"] for pmid, one in articles.items()}))
    files.texts.write_text(json.dumps({pmid: [one["title"], one["abstract"]] for pmid, one in articles.items()}))
    return files


if __name__ == "__main__":
    sys.exit(main())
