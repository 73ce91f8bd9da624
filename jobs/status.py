"""What is in the store: parts, versions, which one is served, how fresh it is, how much room it takes."""

import argparse
from pathlib import Path
from typing import Any

from jobs.console import megabytes, table
from jobs.store import article_parts, open_layout, read_current, snapshots, versions
from retrieval.sources import source_order
from retrieval.storage import check_file
from schemas.config import Config
from schemas.layout import Layout
from schemas.manifest import IndexVersion


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the job's options."""
    parser.add_argument("--verify", action="store_true", help="read every byte of every version against its digest")


def run(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Return what the store holds."""
    layout = open_layout(config)
    current = read_current(layout)
    found = versions(layout)
    if options.verify:
        for version in found:
            _verify(layout, version)
    known = snapshots(layout)
    snapshot = known[-1] if known else None
    refs = snapshot.info.parts if snapshot else ()
    in_use = {ref.name for each in known for ref in each.info.parts}
    return {
        "store": layout.root,
        "current": current.version if current else None,
        "withdrawn": list(current.withdrawn) if current else [],
        "verified": options.verify,
        "snapshot": snapshot.id if snapshot else None,
        "articles": snapshot.info.counts.alive if snapshot else 0,
        "article_parts": len(refs),
        "records": sum(ref.rows - ref.deletions for ref in refs),
        "newest_source": refs[-1].name if refs else None,
        "pending_parts": sorted(article_parts(layout) - in_use, key=source_order),
        "versions": [_version(layout, v) for v in found],
        "bytes": {name: _size(Path(layout.root) / name) for name in ("articles", "vectors", "segments")},
    }


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    sizes = ", ".join(f"{name} {megabytes(size)}" for name, size in report["bytes"].items())
    newest = f", newest {report['newest_source']}; {report['articles']:,} articles" if report["newest_source"] else ""
    lines = [
        f"store {report['store']}: {sizes}",
        f"{report['article_parts']} article parts, {report['records']:,} records{newest}",
    ]
    if pending := report["pending_parts"]:
        lines.append(
            f"{len(pending)} article parts, from {pending[0]}, are in no snapshot yet: run pubray ingest again"
        )
    if report["verified"]:
        lines.append("every file of every version has its digest")
    if not report["versions"]:
        return "\n".join([*lines, "no versions yet: pubray embed, then pubray index"])
    marks = {report["current"]: "CURRENT", **dict.fromkeys(report["withdrawn"], "withdrawn")}
    rows = [
        [
            v["version"],
            marks.get(v["version"], ""),
            v["created"],
            v["articles"],
            v["segments"],
            v["recall_at_10"],
            v["encoder"],
        ]
        for v in report["versions"]
    ]
    headers = ["version", "", "created", "articles", "segments", "recall@10", "encoder"]
    return "\n".join([*lines, table(headers, rows)])


def _version(layout: Layout, version: IndexVersion) -> dict[str, Any]:
    return {
        "version": version.id,
        "created": version.created,
        "parent": version.parent,
        "snapshot": version.snapshot,
        "selection": version.selection,
        "encoder": version.encoder.name,
        "articles": version.articles,
        "segments": len(version.segments),
        "recall_at_10": version.checks.recall.at_10,
    }


def _verify(layout: Layout, version: IndexVersion) -> None:
    for segment in version.segments:
        for name, expected in segment.files.items():
            check_file(Path(layout.segment(segment.id)) / name, expected, whole=True)


def _size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
