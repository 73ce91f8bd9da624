"""The command line: `pubray [--config FILE] [--set key=value …] JOB …`.

Results go to stdout, logs and progress to stderr. What an exit code means: docs/operate.md.
"""

import argparse
import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

from jobs.common.config import load_config
from jobs.common.console import fail, results_only, say
from jobs.common.options import add_options
from jobs.common.run_reports import json_values, root_cause
from schemas.base import Frozen
from schemas.errors import PubrayError, UsageError
from schemas.report import Report

JOBS = {
    "demo": "the whole main job on real PubMed citations, then five queries and a quality measurement",
    "nightly": "what is new, from its source to CURRENT: ingest, embed, index, promote, compact",
    "ingest": "PubMed XML, Parquet or BEIR files to article parts and a snapshot",
    "embed": "articles of the snapshot to vector parts",
    "index": "vector parts to a new index version",
    "promote": "make a version CURRENT",
    "compact": "merge the deltas of the CURRENT version and drop its dead rows, where that is due",
    "rollback": "go back to the version before CURRENT",
    "serve": "answer queries over HTTP from the CURRENT version",
    "search": "answer one query, without a server",
    "evaluate": "measure the quality of the CURRENT version against judgments",
    "verify": "compare an encoder with its published values, then search 1,000 real articles",
    "status": "versions, counts and sizes of the store",
    "runs": "the last runs, nights and others: when, how they ended, at which stage",
    "metrics": "what the store says of itself to Prometheus: freshness, nights, training, quality, sizes",
    "lease": "who writes to the store; --break lets the next run begin where that one is dead",
    "copy": "a store, or one version of it, to another: backup, restore, from a folder to a bucket",
    "mine": "articles to pairs of a query and its answer, with near articles and negatives, to train with",
    "train-retriever": "pairs to a trained encoder, which embed and serve use",
    "train-reranker": "pairs to a trained cross-encoder, which serve re-ranks with",
    "train-demo": "PubMed's own records to a better encoder, measured beside the start model and served",
    "gc": "remove what no kept version names",
    "plan": "what an index of many articles, or a run of training, takes: memory, disk, hours, cost",
}


class Job(Protocol):
    """What a module of `jobs/` that is a command has."""

    run: Callable[..., Frozen]
    """Does it: takes the configuration, and as keywords the options that it is annotated with."""
    show: Callable[[Any], str]
    """Returns the report for a person."""


def main() -> int:
    """Run one job; return the exit code."""
    try:
        job, options = _parse(sys.argv[1:])
        config = load_config(options.config, options.overrides, os.environ)
        keywords = (p.name for p in inspect.signature(job.run).parameters.values() if p.kind is p.KEYWORD_ONLY)
        with results_only(at_end=options.json):
            report = job.run(config, **{name: getattr(options, name) for name in keywords})
    except UsageError as error:
        return fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return fail("stopped; what is finished is kept, run it again to go on", 130)
    except Exception as error:
        cause = root_cause(error)
        if isinstance(cause, PubrayError):
            return fail(str(cause), cause.exit_code)
        raise
    # Where the terminal does not know all characters, JSON has a spelling for them.
    escaped = not sys.stdout.encoding.lower().startswith("utf")
    say(json.dumps(json_values(report), ensure_ascii=escaped, indent=1) if options.json else job.show(report))
    if isinstance(report, Report) and report.trouble:
        code, why = report.trouble
        return fail(why, code)
    return 0


def _parse(arguments: list[str]) -> tuple[Job, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        prog="pubray",
        description="A dense search index of PubMed.",
        epilog="jobs:\n" + "\n".join(f"  {name:15} {text}" for name, text in JOBS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="TOML; default infra/config/demo.toml")
    parser.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[], help="override one value"
    )
    parser.add_argument("job", metavar="JOB", help="one of the jobs below; `pubray JOB --help` tells more")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.job not in JOBS:
        raise UsageError(f"no job {options.job!r}; there are {', '.join(JOBS)}")
    job: Job = importlib.import_module(module_of(options.job))
    own = argparse.ArgumentParser(prog=f"pubray {options.job}", description=f"{JOBS[options.job]}.")
    add_options(own, job.run)
    own.add_argument("--json", action="store_true", help="print the result as JSON")
    return job, own.parse_args(options.rest, namespace=options)


def module_of(job: str) -> str:
    """Return the name of the module that a job is."""
    return f"jobs.{job.replace('-', '_')}"


if __name__ == "__main__":
    sys.exit(main())
