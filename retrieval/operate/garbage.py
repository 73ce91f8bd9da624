"""What of a store may be removed: names in, names out; nothing is touched here."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from retrieval.embed.vector_parts import row_ranges
from schemas.layout import FileKind
from schemas.manifest import Current, IndexVersion
from schemas.snapshot import SnapshotInfo

ORDER: tuple[FileKind, ...] = (
    "versions",
    "vectors",
    # A record goes before its quantizer: a build believes what it finds.
    "quantizer records",
    "quantizers",
    "segments",
    "tombstones",
    "truths",
    "models",
    # The snapshots still say which parts were in use once.
    "articles",
    "snapshots",
    # These name it too.
    "mesh trees",
    "selections",
    "worker shards",
    "pieces of pairs",
    "checkpoints",
    "texts of pairs",
    "pairs",
    "training runs",
    "temporary",
)
"""In which kinds are removed, so that a run stopped midway leaves versions whole and nothing that stays for ever."""


TRAINED: tuple[FileKind, ...] = ("pairs", "texts of pairs", "training runs")
"""Kinds of which nothing goes by itself."""
GROUPED: tuple[FileKind, ...] = ("pieces of pairs", "checkpoints")
"""Kinds of which what is of one set or run goes together: it is as old as its youngest."""


class Entry(NamedTuple):
    """A file or folder of the store that is written once."""

    kind: FileKind
    name: str
    """As manifests name it; of a vector part `<fingerprint>/<selection>/<part>`."""
    key: str
    bytes: int
    age: float
    """Seconds since any of it was written; of a version since it was made, if that is less."""


class Contents(NamedTuple):
    """What a store holds, and what its documents say."""

    entries: Sequence[Entry]
    current: Current | None
    versions: Sequence[IndexVersion]
    unreadable: Sequence[str]
    """Why manifests cannot be read."""
    spaces: frozenset[str]
    """`<fingerprint>/<selection>` of all versions, and of those that a run that was stopped was removing."""
    snapshots: Mapping[str, SnapshotInfo]
    """By id, the newest last."""
    quantizers: Mapping[str, str]
    """Which quantizer a record names."""
    trained: frozenset[str] = frozenset()
    """Models that were trained here."""
    paired: frozenset[str] = frozenset()
    """Snapshots that have the texts of sets of pairs."""


class Limits(NamedTuple):
    """What is kept though CURRENT does not need it."""

    keep: int
    """Versions served before it."""
    grace: float
    """Nothing younger is removed; in seconds."""
    unpromoted: float
    """Nor are versions that were neither served nor withdrawn, until they are so many seconds old."""


def garbage(contents: Contents, limits: Limits) -> list[Entry]:
    """Return what no kept version names and is old enough, in the order in which it is to be removed.

    Where there is no CURRENT all versions are kept. Kept without a version are the newest snapshot, article parts that
    are in no snapshot yet, and vectors of an article space of which there is no version yet. Where a manifest cannot be
    read, or is missing though CURRENT names it, all is kept but what is temporary: nobody knows what it names.
    """
    if why_all_stays(contents):
        return [e for e in contents.entries if e.age >= limits.grace and e.kind == "temporary"]
    contents = contents._replace(entries=_aged_together(contents.entries))
    kept = kept_names(contents, limits)
    begun = contents.current.removing if contents.current else ()
    old = (e for e in contents.entries if e.age >= limits.grace or (e.kind == "versions" and e.name in begun))
    doomed = (e for e in old if e.name not in kept.get(e.kind, ()))
    return sorted(doomed, key=lambda e: (ORDER.index(e.kind), e.key))


def why_all_stays(contents: Contents) -> str | None:
    """Return why it cannot be told what is needed; None: it can."""
    current = contents.current
    if current and current.version and current.version not in {v.id for v in contents.versions}:
        return f"the manifest of CURRENT, {current.version}, cannot be read"
    return contents.unreadable[0] if contents.unreadable else None


def kept_names(contents: Contents, limits: Limits) -> dict[FileKind, set[str]]:
    """Return what versions that are kept need, and what waits for its version, by kind."""
    young = {(e.kind, e.name) for e in contents.entries if e.age < limits.grace}
    served = served_versions(contents.current, [v.id for v in contents.versions], limits.keep)
    waiting = {e.name for e in contents.entries if e.kind == "versions" and e.age < limits.unpromoted}
    waiting = {name for name in waiting if contents.current and not contents.current.knows(name)}
    versions = [v for v in contents.versions if v.id in served | waiting or ("versions", v.id) in young]
    snapshots = {v.snapshot for v in versions} | {name for kind, name in young if kind == "snapshots"}
    snapshots |= {*list(contents.snapshots)[-1:], *contents.paired & {*contents.snapshots}}
    models = {model for v in versions for model in v.models.values()} | contents.trained
    if any(kind == "checkpoints" for kind, _ in young):  # nothing tells which of them the run starts from
        models |= {e.name for e in contents.entries if e.kind == "models"}
    quantizers = {v.quantizer for v in versions}
    quantizers |= {of for record, of in contents.quantizers.items() if ("quantizer records", record) in young}
    return {
        "vectors": set(_vectors(contents, versions, snapshots)),
        "versions": {v.id for v in versions},
        "quantizer records": {record for record, name in contents.quantizers.items() if name in quantizers},
        "quantizers": quantizers,
        "segments": {s.id for v in versions for s in v.segments},
        "tombstones": {t.sha256 for v in versions for t in v.tombstones.values()},
        "truths": {v.checks.truth for v in versions},
        "models": models,
        "articles": _articles(contents, snapshots),
        "snapshots": snapshots,
        "selections": {v.selection for v in versions},
        # Of what is trained with, and was trained, nothing goes but what only serves to go on.
        **{kind: {e.name for e in contents.entries if e.kind == kind} for kind in TRAINED},
        "mesh trees": {v.mesh_tree for v in versions if v.mesh_tree}
        | {i.mesh_tree for name, i in contents.snapshots.items() if name in snapshots and i.mesh_tree},
    }


def needed_by(contents: Contents, version: IndexVersion) -> dict[FileKind, set[str]]:
    """Return what one version needs, to be served and to be built on, by kind."""
    infos = {name: info for name, info in contents.snapshots.items() if name == version.snapshot}
    space = f"{version.fingerprint}/{version.selection}"
    others = [e for e in contents.entries if e.kind not in (*TRAINED, *GROUPED)]
    entries = [e for e in others if e.kind != "vectors" or e.name.startswith(f"{space}/")]
    none: frozenset[str] = frozenset()
    alone = contents._replace(
        entries=entries, current=None, versions=[version], snapshots=infos, trained=none, paired=none
    )
    used = {ref.name for info in infos.values() for ref in info.parts}
    return {**kept_names(alone, Limits(keep=0, grace=0, unpromoted=0)), "articles": used}


def served_versions(current: Current | None, present: Iterable[str], keep: int) -> set[str]:
    """Return which of the versions `present` are CURRENT or one of the `keep` served before it; all without CURRENT."""
    if current is None or current.version is None:
        return set(present)
    there = set(present)
    before = [v for v in dict.fromkeys(reversed(current.history)) if v != current.version and v in there]
    return {current.version, *before[:keep]}


def _aged_together(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries, those of `GROUPED` kinds with the age of the youngest of their set or run."""
    ages: dict[tuple[FileKind, str], float] = {}
    for e in entries:
        group = e.kind, e.name.partition("/")[0]
        ages[group] = min(e.age, ages.get(group, e.age))
    return [e._replace(age=ages[e.kind, e.name.partition("/")[0]]) if e.kind in GROUPED else e for e in entries]


def _articles(contents: Contents, snapshots: set[str]) -> set[str]:
    """Return the article parts that are in one of the snapshots, or in none that there is."""
    used = {ref.name for name, info in contents.snapshots.items() if name in snapshots for ref in info.parts}
    ever = {ref.name for info in contents.snapshots.values() for ref in info.parts}
    return used | ({e.name for e in contents.entries if e.kind == "articles"} - ever)


def _vectors(contents: Contents, versions: Sequence[IndexVersion], snapshots: set[str]) -> Iterator[str]:
    """Yield the vector parts of the versions' article spaces and the snapshots, whatever their number of rows.

    All are kept of a space that no version names at all: they are what is dear, and wait for `index`.
    """
    kept = {f"{v.fingerprint}/{v.selection}" for v in versions}
    infos = [info for name, info in contents.snapshots.items() if name in snapshots]
    histories = {(r.source, r.history) for info in infos for r in row_ranges(info.parts, sys.maxsize)}
    for entry in contents.entries:
        if entry.kind != "vectors":
            continue
        space, _, part = entry.name.rpartition("/")
        pieces = part.rsplit("-", 3)  # source, start, stop, history
        if space not in contents.spaces or (space in kept and (pieces[0], pieces[-1]) in histories):
            yield entry.name
