"""What is in the store: parts, versions, which one is served, how fresh it is, how much room it takes."""

import argparse
from pathlib import Path
from typing import Any

from jobs.console import megabytes, table
from jobs.store import article_parts, open_layout, read_current, versions
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
    parts = article_parts(layout)
    return {
        "store": layout.root,
        "current": current.version if current else None,
        "withdrawn": list(current.withdrawn) if current else [],
        "verified": options.verify,
        "article_parts": len(parts),
        "records": sum(part.rows for part in parts),
        "newest_source": parts[-1].name if parts else None,
        "versions": [_version(layout, v) for v in found],
        "bytes": {name: _size(Path(layout.root) / name) for name in ("articles", "vectors", "segments")},
    }


def show(report: dict[str, Any]) -> str:
    """Return the report for a person."""
    sizes = ", ".join(f"{name} {megabytes(size)}" for name, size in report["bytes"].items())
    newest = f", newest {report['newest_source']}" if report["newest_source"] else ""
    lines = [
        f"store {report['store']}: {sizes}",
        f"{report['article_parts']} article parts, {report['records']:,} records{newest}",
    ]
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
        "recall_at_10": version.recall.at_10,
    }


def _verify(layout: Layout, version: IndexVersion) -> None:
    for segment in version.segments:
        for name, expected in segment.files.items():
            check_file(Path(layout.segment(segment.id)) / name, expected, whole=True)


def _size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
