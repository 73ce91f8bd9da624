"""Source files → article parts → snapshot. A source file that has its part is neither fetched nor read again."""

from functools import partial
from pathlib import Path
from typing import Annotated

import ray

from actors.store.stores import open_store
from jobs.common.cluster.joining import connect, results
from jobs.common.cluster.placement import place
from jobs.common.console import table
from jobs.common.options import Option
from jobs.common.store import newest_snapshot, snapshots, wrote
from jobs.common.writer import writes
from jobs.steps.ingest.news import news
from jobs.steps.ingest.source_files import Parsed, open_origin, parse_all
from retrieval.articles.article import Rejects
from retrieval.articles.changed_titles import changed_titles
from retrieval.articles.known_parts import KnownParts
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.articles.snapshot_update import SnapshotPlan, write_snapshot
from retrieval.files.checked import write_named
from retrieval.ingest.lineage import check_vanished, gaps, line_of_descent, parts_in_order, pending_parts
from retrieval.ingest.mesh_files import read_mesh_tree
from retrieval.ingest.sources import source_name
from retrieval.operate import memory
from schemas.config import Config
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.report import IngestReport, Samples
from schemas.snapshot import Lineage, SnapshotCounts, SnapshotInfo
from schemas.store import Store

SOURCE = Option(
    "a file or folder, or s3://bucket/prefix, of PubMed XML(.gz), Parquet (pmid, title, abstract) or BEIR corpus.jsonl;"
    " `ncbi`: NCBI's baseline and updates; `embedded:pubmed`: two real PubMed files",
    metavar="PATH",
)
WHOLE = Option(
    "the files are a whole baseline: articles that it lacks are deleted (known for `ncbi`, and for a copy of its "
    "folders)"
)
WITHOUT = Option("leave this source file out, now and in later runs", metavar="FILE")
WITH = Option("take a source file in again that was left out", flag="--with", metavar="FILE")
MESH_TREE = Option(
    "NLM's mtreesYYYY.bin or descYYYY.xml, until another is given: a filter on mesh then takes in narrower headings",
    metavar="FILE",
)
GAPS = Option("exit 0 where update files are missing too; they are told all the same")


@writes("ingest")
def run(
    config: Config,
    *,
    source: Annotated[str, SOURCE],
    baseline: Annotated[bool, WHOLE] = False,
    without: Annotated[str | None, WITHOUT] = None,
    with_file: Annotated[str | None, WITH] = None,
    allow_gaps: Annotated[bool, GAPS] = False,
    mesh_tree: Annotated[str | None, MESH_TREE] = None,
) -> IngestReport:
    """Fetch and parse the missing files in parallel, then commit the snapshot of all article parts.

    Raises:
        InputError: there is no such source or tree, or one of its files cannot be used; the others are done.
        StoreError: a file is not the one that was ingested under its name, or a new baseline lacks too much.
    """
    store = open_store(config)
    previous = newest_snapshot(store)
    tree = read_mesh_tree(Path(mesh_tree)) if mesh_tree else None
    with open_origin(config, source, baseline=baseline) as origin:
        found = news(store, origin, previous, without=without, with_file=with_file)
        parsed = parse_all(config, origin, found.missing, found.lineage.number) if found.missing else Parsed()
    if found.changed:
        more = f" (and {len(found.changed) - 1} more files)" if len(found.changed) > 1 else ""
        raise StoreError(f"{found.changed[0]}{more}; the other files are done, and no snapshot was made")
    new = [name for name in map(source_name, found.missing) if name not in parsed.waited_for]
    here = [name for name in found.names if name not in parsed.waited_for]
    plan = _planned(store, KnownParts(store, previous), previous, found.lineage, here, found.left_out, tree)
    made, samples = _snapshot(config, store, plan)
    stored = store.facts(Layout.snapshot(plan.id)) if new else None
    rejects = sum((Rejects(file.rejected, file.samples) for file in plan.part_files.values()), Rejects())
    return IngestReport(
        snapshot=plan.id,
        lineage=found.lineage.number,
        files=len(plan.parts),
        ingested=len(new),
        seconds=parsed.seconds,
        records=sum(ref.rows - ref.deletions for ref in plan.parts),
        **made.counts.model_dump(),
        rejected=rejects.counts,
        rejected_samples=rejects.samples,
        samples=samples,
        bytes=sum(plan.part_files[name].bytes for name in new) + (stored.bytes if stored else 0),
        left_out=plan.left_out,
        mesh_tree=plan.mesh_tree,
        gaps=gaps(made),
        gaps_allowed=allow_gaps,
        **({"waited_for": parsed.waited_for} if parsed.waited_for else {}),
    )


def _unused(store: Store, parts: KnownParts) -> dict[str, int | None]:
    """Return the article parts that were never in a snapshot nor left out, and for which lineage each was read.

    Snapshots are the newest one and those that it followed: what a run made that was not the one who writes any more,
    and did not know it, is none of them.
    """
    infos = line_of_descent(snapshots(store))
    used = {name for info in infos for name in (*(part.name for part in info.parts), *info.left_out)}
    parts.look_at(parts.names - used)
    return {name: parts.file(name).source.lineage for name in parts.names - used}


def _planned(
    store: Store,
    known: KnownParts,
    previous: Snapshot | None,
    lineage: Lineage,
    names: list[str],
    left_out: set[str],
    tree: str | None,
) -> SnapshotPlan:
    """Return the plan of the next snapshot."""
    info = previous.info if previous else None
    taken = {*names, *pending_parts(info, lineage, _unused(store, known))}
    in_order = [name for name in parts_in_order(info, lineage, taken) if name not in left_out]
    before = info.mesh_tree if info else None
    return SnapshotPlan(
        lineage,
        tuple(known.ref(name) for name in in_order),
        previous,
        tuple(sorted(left_out)),
        write_named(store, Layout.mesh_tree, tree.encode()) if tree else before,
        {name: known.file(name) for name in in_order},
    )


def show(report: IngestReport) -> str:
    counts = [[name.replace("_", " "), getattr(report, name)] for name in ("records", *SnapshotCounts.model_fields)]
    rejected = [[f"rejected: {reason}", count] for reason, count in report.rejected.items()]
    head = f"snapshot {report.snapshot} of {report.files} files, {report.ingested} of them new"
    if report.left_out:
        head += f"; left out: {', '.join(report.left_out)}"
    if report.mesh_tree:
        head += f"; MeSH tree {report.mesh_tree[:12]}…"
    return f"{head}\n{table(['articles', 'count'], counts + rejected)}"


def _snapshot(config: Config, store: Store, plan: SnapshotPlan) -> tuple[SnapshotInfo, Samples]:
    """Return the snapshot of a plan; make it if there is none, and return some of what changed."""
    samples: Samples = {}
    if store.facts(Layout.snapshot(plan.id)) is None:
        connect(config)
        rows = sum(part.rows for part in plan.parts)
        placed = make_snapshot.options(**place(config.placement, "ingest", memory.of_snapshot(rows)))
        task = placed.remote(store, plan, config.ingest.max_vanished)
        [samples] = results([task], "snapshot", rows, "records", lambda _: rows)
        wrote(store, Layout.snapshot.folder)
    return read_snapshot(store, plan.id).info, samples


@ray.remote
def make_snapshot(store: Store, plan: SnapshotPlan, max_vanished: float) -> Samples:
    """Write the snapshot of a plan; return some of what changed."""
    previous = plan.previous.info if plan.previous else None
    info = write_snapshot(store, plan, partial(check_vanished, previous, plan.lineage, max_vanished))
    return changed_titles(store, plan.previous, Snapshot(plan.id, info))
