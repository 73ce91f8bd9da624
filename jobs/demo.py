"""The whole main job on real PubMed citations, with the embedded model and data: nights, then queries over HTTP."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from actors.fetch.embedded_wheels import WHEELS, is_cached
from actors.store.stores import open_store
from jobs import evaluate, ingest, nightly, rollback, search
from jobs import serve as service
from jobs.common.config import read_toml
from jobs.common.console import megabytes, say, table
from jobs.common.options import Option
from jobs.common.run_reports import Stages
from jobs.common.service_client import ask
from jobs.common.store import folder_sizes, read_version, served_version
from jobs.steps.demo import demo_data
from jobs.steps.demo.demo_data import CHOSEN, CHOSEN_COUNT, DEMO, choose, write_pmids
from schemas.config import Config
from schemas.errors import UsageError
from schemas.layout import SELECTIONS
from schemas.quality_report import DemoAnswer, DemoReport, EvaluateReport
from schemas.search import SearchRequest

LESS = {"max_removed": 1.0}
"""With another number of articles in the same store, most may go."""
FEWEST = 100
"""Articles of a demo: with fewer, the made night is compacted at once, and cannot be rolled back."""
TOPICS, CANDIDATES = 50, 20
"""Of the measurement of quality."""
EXAMPLE = '{"query": "does cromolyn help in hay fever?", "k": 3}'

CAVEAT = (
    "What this is not: the papers' figures. The model is a general one, and the judgments are the MeSH headings that "
    "NLM's\nindexers gave to the articles of the 1970s. It tells retrieval from re-ranking on this machine, no more."
)


def run(
    config: Config,
    *,
    articles: Annotated[str, Option("how many (default 2000)", metavar="N|all")] = str(CHOSEN_COUNT),
    serve: Annotated[bool, Option("leave the service up until Ctrl-C")] = False,
    port: Annotated[int | None, service.PORT] = None,
) -> DemoReport:
    """Run what is not done yet of the nights, show what they changed, then ask and measure.

    Raises:
        UsageError: there can be no such number of articles, or port.
    """
    if articles != "all" and not (articles.isdecimal() and int(articles) >= FEWEST):
        raise UsageError(f"--articles {articles!r}: give a number from {FEWEST}, or all")
    config = service.listening(config, port=port)
    start = time.monotonic()
    _announce(config)
    folders = demo_data.publish(config)
    config = _select(config, articles, folders["baseline"])
    nights = {}
    for name, folder in folders.items():
        say(f"\n{name}: pubray nightly --source {folder}")
        nights[name] = nightly.night(config, source=folder)
        say(nightly.show(nights[name]))
    changes = _show_nights(config, list(nights.values())[-1].index.version)
    stages = Stages()
    url = stages.run("serve", service.deploy, config)
    try:
        answers = tuple(_ask(url))
        quality = None
        if articles == "all" or int(articles) >= CHOSEN_COUNT:
            quality = stages.run("evaluate", evaluate.run, config, mesh_topics=TOPICS, candidates=CANDIDATES)
            assert isinstance(quality, EvaluateReport)  # of queries
            say(f"\nQuality, judged by NLM's indexers:\n{evaluate.show(quality)}\n{CAVEAT}")
        report = DemoReport(
            seconds=round(time.monotonic() - start, 1),
            nights=nights,
            changes=changes,
            stages=stages.seconds,
            queries=answers,
            quality=quality,
            bytes=folder_sizes(open_store(config)),
        )
        if serve:
            say(f"\nThe service is up at {url} (described at {url}/openapi.json); Ctrl-C stops it. Try:")
            say(f"curl -s {url}/v1/search -H 'content-type: application/json' -d '{EXAMPLE}'")
            service.wait()
    finally:
        service.shutdown()
    return report


def show(report: DemoReport) -> str:
    rows = [
        [
            name,
            *(night.ingest.records, night.seconds["ingest"]),
            *(night.embed.encoded, night.seconds["embed"]),
            *(night.index.articles, night.seconds["index"]),
            night.index.segments,
            night.index.dead_rows,
        ]
        for name, night in report.nights.items()
    ]
    headers = ["", "records", "s", "encoded", "s", "articles", "s", "segments", "dead rows"]
    others = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in report.stages.items())
    sizes = ", ".join(f"{name} {megabytes(size)}" for name, size in report.bytes.items())
    return f"""
{table(headers, rows)}
{others}; all in {report.seconds:.0f} s; {sizes}

Go on:
  pubray search "what you want to know"      pubray demo --serve      pubray demo --articles all
  pubray status      pubray evaluate --mesh-topics {TOPICS} --candidates {CANDIDATES}
For MedCPT: make verify-medcpt, then pubray --config infra/config/medcpt.toml …
(The demo's model is all-MiniLM-L6-v2: general, not biomedical.)"""


def _show_nights(config: Config, newest: str) -> tuple[tuple[str, ...], ...]:
    """Search before and after the nights, then go back to the night before the made one, if it is served."""
    store = open_store(config)
    versions = demo_data.ancestors(store, read_version(store, newest))
    if len(versions) < len(demo_data.NIGHTS):
        say("\n(The nights were ingested before, for other articles. A new store shows them: PUBRAY_STORE=FOLDER.)")
        return ()
    changes = demo_data.searches(config, versions)
    say(f"\nEach article is searched for by its title, before and after:\n{demo_data.show(changes)}")
    if served_version(store).id == newest:
        say(f"\npubray rollback: {rollback.show(rollback.run(config))}")
    return changes


def _announce(config: Config) -> None:
    missing = [wheel for name, wheel in WHEELS.items() if not is_cached(name, Path(config.cache))]
    for wheel in missing:
        say(f"to download: {wheel.requirement}, {wheel.megabytes} MB, once, into {config.cache}")
    if not missing:
        say(f"nothing to download: model and data are in {config.cache}")
    say(f"the store is {config.store}")


def _select(config: Config, articles: str, baseline: str) -> Config:
    """Return the configuration with the selection that `--articles` asks for; `baseline` is a folder."""
    if articles == "all":
        return config.with_values(selection={"rule": "abstract", "file": None}, index=LESS)
    file, store = CHOSEN, open_store(config)
    if int(articles) != CHOSEN_COUNT:
        if int(articles) > CHOSEN_COUNT:
            ingest.run(config, source=baseline)
        file = store.work(SELECTIONS) / f"demo-{articles}.txt"
        write_pmids(file, choose(store, int(articles)))
    return config.with_values(selection={"rule": "pmids", "file": str(file)}, index=LESS)


def _ask(url: str) -> Iterator[DemoAnswer]:
    """Ask the five queries over HTTP; count the hits that were judged relevant beforehand."""
    for query in read_toml(DEMO / "queries.toml", "queries")["query"]:
        response = ask(url, SearchRequest(query=query["text"]))
        relevant = {str(pmid) for pmid in query["relevant"]}
        hits = sum(hit.id in relevant for hit in response.hits)
        known = f"{hits} of these {len(response.hits)} are among the {len(relevant)} of infra/demo/queries.toml"
        say(f"\n{search.show(response)}\n{known}")
        yield DemoAnswer(query=query["text"], hits=tuple(h.id for h in response.hits), relevant=hits)
