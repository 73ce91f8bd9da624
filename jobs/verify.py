"""Compare an encoder with its authors' own values, then encode, search and re-rank 1,000 real articles with it.

The comparison is in float32, the rest as configured. The articles lie in a store of their own, in the cache.
"""

import asyncio
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

from actors.evaluate.golden_checks import check_articles, check_queries, check_reranker
from actors.fetch.embedded_wheels import embedded_folder
from actors.fetch.stored_models import configured_models, folder_of
from actors.service.assembly import load_service
from actors.store.stores import open_store
from jobs import embed, index, ingest, promote, search
from jobs.common.cluster.joining import connect
from jobs.common.cluster.placement import most_of
from jobs.common.config import ROOT, read_toml
from jobs.common.console import say, table
from jobs.common.options import Option
from jobs.common.run_reports import Stages
from jobs.common.store import read_version
from jobs.steps.demo.demo_data import BASELINE, shipped, write_pmids
from schemas.config import Config
from schemas.errors import UsageError
from schemas.golden import Check, Golden, parse_golden
from schemas.layout import SELECTIONS
from schemas.quality_report import VerifiedReport, VerifyReport
from schemas.search import SearchRequest

GOLDEN = ROOT / "infra" / "verify"
ARTICLES = 1000
"""Of the demo's baseline: its first 1,000 PMIDs are all of that, citations of the 1970s."""
QUERIES = (
    "is low-dose insulin enough to treat diabetic ketoacidosis?",
    "does cromolyn help in hay fever and other allergic rhinitis?",
    "propranolol for high blood pressure",
)
GOLDEN_FILE = Option("golden data; default: that of infra/verify for the encoder", metavar="FILE")


def run(config: Config, *, golden: Annotated[str | None, GOLDEN_FILE] = None) -> VerifyReport:
    """Compare, and if all is as published, search.

    Raises:
        UsageError: there are no golden data.
        WeightsError: a model is nowhere to be had.
    """
    known = read_golden(Path(golden)) if golden else find_golden(config.encoder.name)
    for model in configured_models(config):  # all of them are here, before the first is loaded
        folder_of(model, config)
    exact = config.with_values(engine={"precision": "float32"})
    compared = (check(exact, known) for check in (check_queries, check_articles, check_reranker))
    checks = tuple(chain.from_iterable(compared))
    say(show_checks(checks, known))
    report = VerifyReport(
        encoder=config.encoder.name,
        source=known.source,
        tolerance=known.tolerance,
        checks=checks,
        failures=tuple(check.what for check in checks if not check.passed),
    )
    return report if report.failures else _search(config, report)


def show(report: VerifyReport) -> str:
    """Return what the comparison leaves to say: the hits and the times."""
    if not isinstance(report, VerifiedReport):
        return "the values differ, so nothing was encoded with these models"
    answers = "\n\n".join(search.show(answer) for answer in report.answers)
    times = table(["stage", "seconds"], report.seconds.items())
    return f"\n{answers}\n\n{times}\n{report.articles:,} articles in {report.store}"


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
    return parse_golden(read_toml(file, "--golden"), str(file))


def show_checks(checks: Sequence[Check], golden: Golden) -> str:
    """Return the comparison as a table."""
    rows = [
        [
            check.what,
            _numbers(check.expected),
            _numbers(check.got),
            f"{check.difference:.1e}",
            "PASS" if check.passed else "FAIL",
        ]
        for check in checks
    ]
    headers = ["what", "expected", "got", "difference", f"(up to {golden.tolerance:g})"]
    return f"expected: {golden.source}\n{table(headers, rows)}"


def _numbers(values: tuple[float, ...]) -> str:
    """Write numbers out; of a vector there are two ends."""
    texts = [f"{value:.4f}" for value in values]
    half = len(texts) // 2
    return " ".join([*texts[:half], "…", *texts[half:]]) if half else texts[0]


def _search(config: Config, compared: VerifyReport) -> VerifiedReport:
    """Run the main job over 1,000 articles in a store of its own, and ask; return it with what was compared."""
    config = _own_store(config)
    connect(config)
    if not most_of("GPU"):
        config = config.with_values(embed={"num_gpus": 0})
    stages = Stages()
    source = str(embedded_folder("pubmed", Path(config.cache)) / BASELINE)
    stages.run("ingest", ingest.run, config, source=source)
    stages.run("embed", embed.run, config)
    built = stages.run("index", index.run, config)
    promote.run(config, version=built.version)
    version = read_version(open_store(config), built.version)
    service = stages.run("load", load_service, config, version)
    answers = stages.run("search", asyncio.run, service.search(SearchRequest(query=QUERIES)))
    return VerifiedReport(
        **compared.model_dump(),
        store=config.store,
        articles=built.articles,
        recall_at_10=built.recall_at_10,
        seconds={stage: round(seconds, 2) for stage, seconds in stages.seconds.items()},
        answers=tuple(answers),
    )


def _own_store(config: Config) -> Config:
    """Return the configuration with a store in the cache, and 1,000 articles of the 1970s as selection."""
    store = Path(config.cache) / "verify" / config.encoder.name
    config = config.with_values(store=str(store))
    file = open_store(config).work(SELECTIONS) / "verify.txt"
    write_pmids(file, shipped()[:ARTICLES].tolist())
    return config.with_values(selection={"rule": "pmids", "file": str(file)})
