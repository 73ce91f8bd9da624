"""What is told of a version, by what its manifest says."""

from typing import TypeVar

from actors.store.stores import open_store
from jobs.common.console import table
from jobs.common.store import versions
from retrieval.index.gates import gates
from retrieval.index.upkeep import advice
from schemas.config import Config
from schemas.manifest import IndexVersion
from schemas.report import VersionReport

Kind = TypeVar("Kind", bound=VersionReport)


def report_of(kind: type[Kind], config: Config, version: IndexVersion, **did: bool | str) -> Kind:
    """Return what a job reports of a version, and what it did."""
    known = versions(open_store(config))
    parent = next((v.segments for v in known if v.id == version.parent), ())
    return kind(
        version=version.id,
        articles=version.articles,
        segments=len(version.segments),
        dead_rows=version.dead_rows,
        lists=version.segments[0].nlist,
        nprobe=version.nprobe,
        bytes=version.bytes,
        new_bytes=sum(segment.bytes for segment in version.segments if segment not in parent),
        recall_at_10=version.checks.recall.at_10,
        recall_at_100=version.checks.recall.at_100,
        imbalance=version.checks.imbalance,
        canaries=version.checks.canaries,
        gates=gates(version, config.index, known),
        advice=advice(version, known),
        **did,
    )


def show_version(report: VersionReport, done: str) -> str:
    """Return for a person what was done of a version, and its figures."""
    shown = set(VersionReport.model_fields) - {"failures", "version", "canaries", "gates"}
    figures = report.model_dump(include=shown, exclude_none=True)
    return f"version {report.version}: {done}\n{table(['of the version', 'value'], figures.items())}"
