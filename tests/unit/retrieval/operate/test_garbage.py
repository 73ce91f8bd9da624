from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed.vector_parts import row_ranges
from retrieval.operate.garbage import ORDER, Contents, Entry, Limits, garbage, needed_by, served_versions
from schemas.layout import FileKind
from schemas.manifest import Current, IndexVersion, Segment, Tombstones
from schemas.snapshot import Lineage, PartRef, SnapshotCounts, SnapshotInfo
from tests.support.service.seams import VERSION

GRACE = 50
OLD, YOUNG = 100, 10
NOW, LATER = 0, 1000  # until when a version may wait to be promoted

COUNTS = SnapshotCounts(**dict.fromkeys(SnapshotCounts.model_fields, 0))
LAST_YEAR = tuple(PartRef(name, f"digest of {name}", 10, 0) for name in ("a", "b-1", "c"))
THIS_YEAR = tuple(PartRef(name, f"digest of {name}", 10, 0) for name in ("d", "e"))
PARTS = {"n0": LAST_YEAR[:1], "n1": LAST_YEAR[:2], "n2": LAST_YEAR, "n3": THIS_YEAR[:1], "n4": THIS_YEAR}
MESH_TREES = {"n0": None, "n1": "m0", "n2": "m0", "n3": "m1", "n4": "m2"}
SPACES = [("f0", "all"), ("f1", "all"), ("f1", "abstract")]


def snapshot(name: str) -> SnapshotInfo:
    of = {"lineage": Lineage(number=0), "parts": PARTS[name], "previous": None, "counts": COUNTS}
    return SnapshotInfo.model_validate({**of, "mesh_tree": MESH_TREES[name]})


def version(
    name: str, segments: Sequence[str], quantizer: str = "q0", of: str = "n0", space: tuple[str, str] = SPACES[0]
) -> IndexVersion:
    """Every second segment has tombstones."""
    made = [Segment(id=s, shard=0, rows=9, dimension=1, nlist=1, code_size=1, files={}) for s in segments]
    buried = {s: Tombstones(sha256=f"t of {s}", rows=1) for s in segments[::2]}
    of_snapshot = {"snapshot": of, "mesh_tree": MESH_TREES[of], "models": {"towers": f"m of {quantizer}"}}
    update = {"segments": tuple(made), "tombstones": buried, "quantizer": quantizer, **of_snapshot}
    return VERSION.model_copy(update={**update, "id": name, "fingerprint": space[0], "selection": space[1]})


def entry(kind: FileKind, name: str, age: float = OLD) -> Entry:
    return Entry(kind, name, f"{kind}/{name}", 1, age)


def contents_of(
    entries: Sequence[Entry],
    current: Current | None,
    versions: Sequence[IndexVersion],
    snapshots: dict[str, SnapshotInfo],
    quantizers: dict[str, str],
) -> Contents:
    spaces = frozenset(f"{v.fingerprint}/{v.selection}" for v in versions)
    return Contents(entries, current, versions, [], spaces, snapshots, quantizers)


def limits(keep: int = 0, unpromoted: float = NOW) -> Limits:
    return Limits(keep, GRACE, unpromoted)


def vector_parts() -> list[str]:
    """Of every space and snapshot, in ranges of two sizes, and one that belongs to none."""
    ranges = [r for parts in PARTS.values() for size in (4, 8) for r in row_ranges(parts, size)]
    names = [*sorted({r.name for r in ranges}), "a-0-4-other", "from-before"]
    return [f"{fingerprint}/{selection}/{name}" for fingerprint, selection in SPACES for name in names]


NAMES: dict[FileKind, list[str]] = {
    "segments": [f"s{i}" for i in range(5)],
    "tombstones": [f"t of s{i}" for i in range(5)],
    "quantizers": ["q0", "q1"],
    "quantizer records": ["r0", "r1", "r2"],
    "snapshots": list(PARTS),
    "selections": [*{selection for _, selection in SPACES}, "of none"],
    "mesh trees": ["m0", "m1", "m2", "m3"],
    "models": ["m of q0", "m of q1", "m of none"],
    "articles": ["a", "b-1", "c", "d", "e", "pending"],
    "vectors": vector_parts(),
    "worker shards": ["w0", "w1"],
    "temporary": [".x.tmp"],
}
RECORDS = {"r0": "q0", "r1": "q1", "r2": "q1"}


@st.composite
def stores(draw: st.DrawFn) -> Contents:
    """Whole stores: all that a version names is there, of any age."""
    count = draw(st.integers(0, 5))
    versions = [
        version(
            f"v{i}",
            draw(st.lists(st.sampled_from(NAMES["segments"]), min_size=1, max_size=3, unique=True)),
            draw(st.sampled_from(["q0", "q1"])),
            draw(st.sampled_from(list(PARTS))),
            draw(st.sampled_from(SPACES)),
        )
        for i in range(count)
    ]
    ids = st.sampled_from([v.id for v in versions] + ["gone"]) if versions else st.just("gone")
    history = draw(st.lists(ids, max_size=6))
    current = Current(version=draw(st.sampled_from(versions)).id, history=tuple(history)) if versions else None
    names: dict[FileKind, list[str]] = {**NAMES, "versions": [v.id for v in versions]}
    young = draw(st.sets(st.sampled_from([(kind, name) for kind in names for name in names[kind]]), max_size=4))
    entries = [entry(k, n, YOUNG if (k, n) in young else OLD) for k in names for n in names[k]]
    shown = draw(st.sampled_from([current, None])) if versions else None
    return contents_of(entries, shown, versions, {name: snapshot(name) for name in PARTS}, RECORDS)


def without(contents: Contents, removed: Sequence[Entry]) -> Contents:
    """What is left, files and what was read of them."""
    left = [e for e in contents.entries if e not in removed]
    there = {(e.kind, e.name) for e in left}
    return contents._replace(
        entries=left,
        versions=[v for v in contents.versions if ("versions", v.id) in there],
        snapshots={n: info for n, info in contents.snapshots.items() if ("snapshots", n) in there},
        quantizers={n: of for n, of in contents.quantizers.items() if ("quantizer records", n) in there},
    )


def needs(v: IndexVersion) -> set[tuple[str, str]]:
    """What opening a version needs."""
    buried = {("tombstones", t.sha256) for t in v.tombstones.values()}
    trees = {("mesh trees", v.mesh_tree)} if v.mesh_tree else set()
    models = {("models", model) for model in v.models.values()}
    return {("quantizers", v.quantizer), *(("segments", s.id) for s in v.segments), *buried, *trees, *models}


def names(entries: Sequence[Entry], kind: FileKind) -> list[str]:
    return [e.name for e in entries if e.kind == kind]


@given(stores(), st.integers(0, 3), st.sampled_from([NOW, LATER]), st.integers(0, 200))
def test_stopped_anywhere_it_leaves_whole_versions_and_goes_on_as_if_never_stopped(
    contents: Contents, keep: int, unpromoted: int, steps: int
) -> None:
    removed = garbage(contents, limits(keep, unpromoted))
    left = without(contents, removed[:steps])
    there = {(e.kind, e.name) for e in left.entries}
    for v in left.versions:
        assert needs(v) <= there
    for info in left.snapshots.values():
        assert info in contents.snapshots.values()
        assert info.mesh_tree is None or ("mesh trees", info.mesh_tree) in there
    assert all(("quantizers", of) in there for of in left.quantizers.values())
    assert garbage(left, limits(keep, unpromoted)) == removed[steps:]


@given(stores(), st.integers(0, 3), st.sampled_from([NOW, LATER]))
def test_what_is_kept_is_whole_and_nothing_young_goes(contents: Contents, keep: int, unpromoted: int) -> None:
    removed = garbage(contents, limits(keep, unpromoted))
    left = without(contents, removed)
    assert all(e.age >= GRACE for e in removed)
    served = served_versions(contents.current, [v.id for v in contents.versions], keep)
    young = names([e for e in contents.entries if e.age < GRACE], "versions")
    current = contents.current
    waiting = {v.id for v in contents.versions if unpromoted == LATER and not (current and current.knows(v.id))}
    assert {v.id for v in left.versions} == served | set(young) | waiting
    articles, vectors = set(names(left.entries, "articles")), set(names(left.entries, "vectors"))
    assert list(PARTS)[-1] in left.snapshots
    assert MESH_TREES[list(PARTS)[-1]] in names(left.entries, "mesh trees")
    assert {ref.name for info in left.snapshots.values() for ref in info.parts} | {"pending"} <= articles
    for v in left.versions:
        space = f"{v.fingerprint}/{v.selection}"
        ranges = row_ranges(left.snapshots[v.snapshot].parts, 4)
        assert {f"{space}/{r.name}" for r in ranges} <= vectors
    assert garbage(left, limits(keep, unpromoted)) == []


def test_what_only_old_versions_name_goes() -> None:
    old, new = version("old", ["s0", "s1"], "q0", "n1", SPACES[0]), version("new", ["s1"], "q1", "n4", SPACES[1])
    current = Current(version="new", history=("old",))
    every: dict[FileKind, list[str]] = {**NAMES, "versions": ["old", "new"]}
    entries = [entry(kind, name) for kind in every for name in every[kind]]
    contents = contents_of(entries, current, [old, new], {n: snapshot(n) for n in PARTS}, RECORDS)
    removed = garbage(contents, limits())
    assert names(removed, "versions") == ["old"]
    assert names(removed, "segments") == ["s0", "s2", "s3", "s4"]
    assert names(removed, "tombstones") == ["t of s0", "t of s2", "t of s3", "t of s4"]
    assert (names(removed, "quantizers"), names(removed, "quantizer records")) == (["q0"], ["r0"])
    assert names(removed, "models") == ["m of none", "m of q0"]
    assert names(removed, "snapshots") == ["n0", "n1", "n2", "n3"]
    assert names(removed, "articles") == ["a", "b-1", "c"]
    assert (names(removed, "worker shards"), names(removed, "temporary")) == (["w0", "w1"], [".x.tmp"])
    left = set(NAMES["vectors"]) - set(names(removed, "vectors"))
    ranges = [r.name for size in (4, 8) for r in row_ranges(THIS_YEAR, size)]
    waiting = {name for name in NAMES["vectors"] if name.startswith("f1/abstract/")}
    assert left == {f"f1/all/{name}" for name in ranges} | waiting
    assert [e.kind for e in removed] == sorted((e.kind for e in removed), key=ORDER.index)


def test_as_many_versions_before_current_are_kept_as_is_wanted() -> None:
    history = ("a", "b", "gone", "c", "b", "d")
    current = Current(version="d", history=history, withdrawn=("w",))
    present = ["a", "b", "c", "d", "w"]
    assert served_versions(current, present, 0) == {"d"}
    assert served_versions(current, present, 2) == {"d", "b", "c"}
    assert served_versions(current, present, 9) == {"d", "b", "c", "a"}


def test_before_the_first_promotion_all_versions_are_kept() -> None:
    entries = [entry("versions", "v"), entry("segments", "s0"), entry("segments", "s1")]
    contents = contents_of(entries, None, [version("v", ["s0"])], {}, {})
    assert names(garbage(contents, limits()), "versions") == []
    assert names(garbage(contents, limits()), "segments") == ["s1"]


def test_a_quantizer_stays_with_its_young_record() -> None:
    entries = [entry("quantizers", "q0"), entry("quantizer records", "r0", YOUNG)]
    assert garbage(contents_of(entries, None, [], {}, {"r0": "q0"}), limits()) == []


def test_while_a_manifest_cannot_be_read_only_what_is_temporary_goes() -> None:
    v = version("v", ["s0"])
    entries = [entry("versions", "v"), entry("segments", "s1"), entry("temporary", ".x.tmp")]
    whole = contents_of(entries, Current(version="v"), [v], {}, {})
    assert [e.name for e in garbage(whole, limits())] == ["s1", ".x.tmp"]
    damaged, lost = whole._replace(unreadable=["w is damaged"]), whole._replace(current=Current(version="gone"))
    for contents in (damaged, lost):
        assert [e.name for e in garbage(contents, limits())] == [".x.tmp"]


def test_vectors_of_a_version_that_was_being_removed_go_too() -> None:
    entries = [entry("vectors", "f0/all/a-0-4-h"), entry("vectors", "f1/all/a-0-4-h")]
    contents = contents_of(entries, Current(version="v"), [version("v", [], space=SPACES[1])], {}, {})
    assert names(garbage(contents, limits()), "vectors") == ["f1/all/a-0-4-h"]  # those of f0 wait for their version
    stopped = contents._replace(spaces=contents.spaces | {"f0/all"})
    assert names(garbage(stopped, limits()), "vectors") == ["f0/all/a-0-4-h", "f1/all/a-0-4-h"]


def test_what_was_trained_and_mined_stays_and_what_served_to_go_on_goes() -> None:
    kinds: list[FileKind] = ["pairs", "texts of pairs", "training runs", "models", "pieces of pairs", "checkpoints"]
    entries = [entry(kind, f"{kind} {name}") for kind in kinds for name in ("a", "b")]
    contents = contents_of(entries, None, [], {}, {})._replace(trained=frozenset({"models a"}))
    doomed = {e.name for e in garbage(contents, limits())}
    assert doomed == {"models b", *(f"{kind} {name}" for kind in kinds[4:] for name in ("a", "b"))}
    needed = needed_by(contents, version("v1", ["s1"]))
    assert needed["models"] == {"m of q0"}
    assert not any(needed.get(kind) for kind in kinds if kind != "models")


def test_the_articles_of_pairs_stay() -> None:
    entries = [entry(kind, name) for kind in ("articles", "snapshots") for name in NAMES[kind]]
    snapshots = {name: snapshot(name) for name in PARTS}
    contents = contents_of(entries, Current(version=None, history=()), [], snapshots, {})
    contents = contents._replace(paired=frozenset({"n1", "gone"}))
    kept = {(e.kind, e.name) for e in entries} - {(e.kind, e.name) for e in garbage(contents, limits())}
    used = {("articles", ref.name) for name in ("n1", "n4") for ref in PARTS[name]}
    assert kept == {("snapshots", "n1"), ("snapshots", "n4"), ("articles", "pending"), *used}


def test_while_a_model_is_trained_its_old_states_and_all_models_stay() -> None:
    states = [entry("checkpoints", "run/00000001"), entry("checkpoints", "run/00000009", YOUNG)]
    pieces = [entry("pieces of pairs", "set/00001"), entry("pieces of pairs", "set/00002", YOUNG)]
    others = [entry("checkpoints", "done/00000009"), entry("models", "start")]
    doomed = garbage(contents_of([*states, *pieces, *others], None, [], {}, {}), limits())
    assert [e.name for e in doomed] == ["done/00000009"]
    aged = [e._replace(age=OLD) for e in [*states, *pieces, *others]]
    assert len(garbage(contents_of(aged, None, [], {}, {}), limits())) == 6
