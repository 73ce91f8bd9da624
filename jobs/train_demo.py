"""A better encoder from PubMed's own records: mined, trained, measured beside the start model, served; and back again.

With the embedded model and data, and the configuration that is named (infra/config/train-demo.toml).
"""

import tempfile
import time
from pathlib import Path

from actors.fetch.embedded_wheels import embedded_folder
from actors.store.stores import open_store
from jobs import evaluate, mine, nightly, promote, rollback, search, train_retriever
from jobs import serve as service
from jobs.common.console import say, table
from jobs.common.run_reports import Stages
from jobs.common.service_client import ask
from jobs.steps.demo.demo_data import CHOSEN, CHOSEN_COUNT
from retrieval.articles.pmids import parse_pmids
from retrieval.evaluate.scores import paired_difference
from retrieval.files.checked import read_document
from schemas.config import Config
from schemas.layout import Layout
from schemas.quality_report import EvaluateReport, PairedDifference
from schemas.search import SearchRequest
from schemas.training_report import TrainDemoReport, TrainedRun

TOPICS, CANDIDATES = 50, 20
"""Of the measurement by MeSH topics."""
MEASURE = "nDCG@10"
QUERY = "does cromolyn help in hay fever?"


def run(config: Config) -> TrainDemoReport:
    """Do what is not done yet; what was trained is found."""
    start, stages = time.monotonic(), Stages()
    source = str(embedded_folder("pubmed", Path(config.cache)))
    say(f"All articles, by the start model: pubray nightly --source {source}")
    everything = stages.run("night", nightly.night, config, source=source).index.version
    say(f"\nPairs of a query and the article that answers it, but of {CHOSEN_COUNT:,}: pubray mine --exclude …")
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as measured_by:
        measured_by.write("".join(f"topic\t{pmid}\t1\n" for pmid in parse_pmids(CHOSEN.read_text(), str(CHOSEN))))
        measured_by.flush()
        mined = stages.run("mine", mine.run, config, exclude=measured_by.name)
    say(f"{mine.show(mined)}\n\nThe model: pubray train-retriever --pairs {mined.pairs}")
    report = stages.run("train", train_retriever.run, config, pairs=mined.pairs)
    say(train_retriever.show(report))
    values = read_document(open_store(config), Layout.training_run(report.run), TrainedRun, f"run {report.run}").values
    few = config.with_values(selection={"rule": "pmids", "file": str(CHOSEN)}, index={"max_removed": 1.0})
    trained = few.with_values(**values)
    found = {}
    for name, own in {"start": few, "trained": trained}.items():
        say(f"\n2,000 articles, by the {name} model")
        night = stages.run(f"embed, {name}", nightly.night, own, source=source)
        if night.withdrawn:  # by the rollback of the demo before
            promote.run(own, version=night.index.version)
        found[name] = stages.run(f"evaluate, {name}", evaluate.run, own, mesh_topics=TOPICS, candidates=CANDIDATES)
    topics = _differences(found["start"], found["trained"])
    url = stages.run("serve", service.deploy, trained)
    try:
        say(f"\n{search.show(ask(url, SearchRequest(query=QUERY)))}")
    finally:
        service.shutdown()
    say(f"\npubray rollback: {rollback.show(rollback.run(few))}")
    # A demo after this one finds what this one made, for it is built on the same version.
    say(f"\npubray promote {everything}: {promote.show(promote.run(config, version=everything))}")
    return TrainDemoReport(
        seconds=time.monotonic() - start, stages=stages.seconds, mined=mined, trained=report, topics=topics
    )


def show(report: TrainDemoReport) -> str:
    rows = [
        [name, str(of)]
        for name, of in (
            *((f"held-out {signal}", figures.difference) for signal, figures in report.trained.held_out_ndcg.items()),
            *((f"MeSH topics, {stage}", of) for stage, of in report.topics.items()),
        )
    ]
    seconds = ", ".join(f"{stage} {of:.0f} s" for stage, of in report.stages.items())
    return f"\n{table([MEASURE, 'trained less start model [95 %]'], rows)}\n{seconds}; all in {report.seconds:.0f} s"


def _differences(start: object, trained: object) -> dict[str, PairedDifference]:
    """Return by stage of a search what the trained model is worth for the topics."""
    assert isinstance(start, EvaluateReport)
    assert isinstance(trained, EvaluateReport)

    def of(report: EvaluateReport, stage: str) -> dict[str, float]:
        return {name: getattr(scores, stage)[MEASURE] for name, scores in report.per_query.items()}

    return {stage: paired_difference(of(start, stage), of(trained, stage)) for stage in ("retrieval", "reranked")}
