"""Compare an encoder with its authors' own values, then encode, search and re-rank 1,000 real articles with it.

The comparison is in float32, the rest as configured. The articles lie in a store of their own, in the cache.
"""

import argparse
import asyncio
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.evaluate.golden_checks import check_articles, check_queries, check_reranker
from actors.fetch.embedded_wheels import embedded_folder
from actors.fetch.model_folders import model_folder
from actors.service.assembly import load_service
from actors.service.search_service import SearchService
from jobs import embed, index, ingest, promote, search
from jobs.common.cluster import connect, gpus
from jobs.common.config import ROOT
from jobs.common.console import log, say, table
from jobs.common.cpu_threads import available_threads
from jobs.common.store import open_layout, read_version
from jobs.demo import CHOSEN
from jobs.steps.stages import Stages, run_job
from retrieval.articles.selection import parse_pmids
from retrieval.files.atomic import write_bytes
from schemas.config import Config, SelectionConfig
from schemas.errors import UsageError
from schemas.golden import Check, Golden, parse_golden
from schemas.search import SearchRequest

GOLDEN = ROOT / "infra" / "verify"
SOURCE = "pubmed20n0014.xml.gz"
"""Citations of the 1970s; the demo's first 1,000 PMIDs are all of them."""
ARTICLES = 1000
QUERIES = (
    "is low-dose insulin enough to treat diabetic ketoacidosis?",
    "does cromolyn help in hay fever and other allergic rhinitis?",
    "propranolol for high blood pressure",
)
DIGITS = 4
"""Decimals shown."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("--golden", metavar="FILE", help="golden data; default: that of infra/verify for the encoder")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Compare, and if all is as published, search."""
    out = log if options.json else say
    golden = read_golden(Path(options.golden)) if options.golden else find_golden(config.encoder.name)
    for model, revision in _models(config):
        model_folder(model, revision, Path(config.cache))  # all of them are here, before the first is loaded
    checks = [*_checks(config, golden)]
    out(show_checks(checks, golden))
    failures = [check.what for check in checks if not check.passed]
    report = {
        "encoder": config.encoder.name,
        "source": golden.source,
        "tolerance": golden.tolerance,
        "checks": [check.model_dump() for check in checks],
        "failures": failures,
    }
    return report if failures else report | _search(config)


def show(report: dict[str, Any]) -> str:
    """Return what the comparison leaves to say: the hits and the times."""
    if report["failures"]:
        return "the values differ, so nothing was encoded with these models"
    answers = "\n\n".join(search.show(answer) for answer in report["answers"])
    rows = [[stage, seconds] for stage, seconds in report["seconds"].items()]
    return f"\n{answers}\n\n{table(['stage', 'seconds'], rows)}\n{report['articles']:,} articles in {report['store']}"


def find_golden(encoder: str) -> Golden:
    """Return the golden data of an encoder.

    Raises:
        UsageError: there are none.
    """
    found = [read_golden(file) for file in sorted(GOLDEN.glob("*.toml"))]
    for golden in found:
        if encoder in golden.encoders:
            return golden
    known = ", ".join(name for golden in found for name in golden.encoders)
    raise UsageError(f"encoder {encoder!r}: no published values, only of {known}; name another --config, or --golden")


def read_golden(file: Path) -> Golden:
    """Read a file of golden data.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        return parse_golden(tomllib.loads(file.read_text(encoding="utf-8")), str(file))
    except OSError as error:
        raise UsageError(f"--golden {file}: {error.strerror}; name an existing file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--golden {file}: not TOML: {error}; correct it there") from None


def show_checks(checks: list[Check], golden: Golden) -> str:
    """Return the comparison as a table."""
    rows = [
        [check.what, _numbers(check.expected), _numbers(check.got), f"{check.difference:.1e}", _verdict(check)]
        for check in checks
    ]
    headers = ["what", "expected", "got", "difference", f"(up to {golden.tolerance:g})"]
    return f"expected: {golden.source}\n{table(headers, rows)}"


def _verdict(check: Check) -> str:
    return "PASS" if check.passed else "FAIL"


def _numbers(values: tuple[float, ...]) -> str:
    """Write numbers out; of a vector there are two ends."""
    texts = [f"{value:.{DIGITS}f}" for value in values]
    half = len(texts) // 2
    return " ".join([*texts[:half], "…", *texts[half:]]) if half else texts[0]


def _models(config: Config) -> Iterator[tuple[str, str | None]]:
    spec, rerank = config.encoder, config.rerank
    yield spec.query.model, spec.query.revision
    yield spec.article.model, spec.article.revision
    if rerank.kind == "cross-encoder" and rerank.model:
        yield rerank.model, rerank.revision


def _checks(config: Config, golden: Golden) -> Iterator[Check]:
    exact = config.model_copy(update={"engine": config.engine.model_copy(update={"precision": "float32"})})
    for compare in (check_queries, check_articles, check_reranker):
        yield from compare(exact, golden, available_threads())


def _search(config: Config) -> dict[str, Any]:
    """Run the main job over 1,000 articles in a store of its own, and ask."""
    config = _own_store(config)
    connect()
    if not gpus():
        config = config.model_copy(update={"embed": config.embed.model_copy(update={"num_gpus": 0})})
    stages = Stages()
    source = str(embedded_folder("pubmed", Path(config.cache)) / SOURCE)
    stages.run("ingest", run_job, ingest, config, "--source", source)
    stages.run("embed", run_job, embed, config)
    built = stages.run("index", run_job, index, config)
    run_job(promote, config, built["version"])
    version = read_version(open_layout(config), built["version"])
    service = stages.run("load", load_service, config, version, available_threads())
    answers = stages.run("search", asyncio.run, _ask(service))
    return {
        "store": config.store,
        "articles": built["articles"],
        "recall_at_10": built["recall_at_10"],
        "seconds": {stage: round(seconds, 2) for stage, seconds in stages.seconds.items()},
        "answers": answers,
    }


def _own_store(config: Config) -> Config:
    """Return the configuration with a store in the cache, and 1,000 articles of the 1970s as selection."""
    config = config.model_copy(update={"store": str(Path(config.cache) / "verify" / config.encoder.name)})
    file = open_layout(config).selection("verify")
    chosen = parse_pmids(CHOSEN.read_text(), str(CHOSEN))[:ARTICLES]
    write_bytes(file, "".join(f"{pmid}\n" for pmid in chosen).encode())
    return config.model_copy(update={"selection": SelectionConfig(rule="pmids", file=file)})


async def _ask(service: SearchService) -> list[dict[str, Any]]:
    answers = await service.search(SearchRequest(query=QUERIES))
    return [answer.model_dump(mode="json", exclude_unset=True) for answer in answers]
