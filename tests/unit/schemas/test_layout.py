import re
from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import PurePosixPath
from typing import get_args

import pytest

from schemas.layout import PLACES, UNFINISHED, FileKind, Layout

LAYOUT = Layout("/store")
PATHS = {
    LAYOUT.current: "CURRENT",
    LAYOUT.article_part("pubmed26n0001"): "articles/pubmed26n0001.parquet",
    f"{LAYOUT.sources}/a.xml.gz": "sources/a.xml.gz",
    LAYOUT.snapshot("s1"): "snapshots/s1.parquet",
    LAYOUT.selection("pmids-1"): "selections/pmids-1.txt",
    LAYOUT.vector_part("f1", "abstract", "pubmed26n0001-0-64"): "vectors/f1/abstract/pubmed26n0001-0-64.parquet",
    LAYOUT.quantizer("aa"): "quantizers/aa.faiss",
    LAYOUT.quantizer_record("i1"): "quantizers/i1.json",
    LAYOUT.worker_shard("i1", 3): "shards/i1/3",
    LAYOUT.segment("g1"): "segments/g1",
    LAYOUT.version("v1"): "versions/v1.json",
}


def test_paths_are_where_older_stores_have_them() -> None:
    assert {path: f"/store/{rest}" for path, rest in PATHS.items()} == {path: path for path in PATHS}
    assert len(PATHS) == 11


def test_a_folder_that_is_listed_holds_one_kind_of_file() -> None:
    folders = Counter(str(PurePosixPath(path).parent) for path in PATHS)
    for folder in (LAYOUT.article_parts, LAYOUT.snapshots, LAYOUT.versions, LAYOUT.vector_parts("f1", "abstract")):
        assert folders[folder] == 1


WRITTEN_ONCE: dict[FileKind, tuple[str, str]] = {
    "versions": (LAYOUT.version("n"), "n"),
    "segments": (LAYOUT.segment("n"), "n"),
    "tombstones": (LAYOUT.tombstones("n"), "n"),
    "truths": (LAYOUT.truth("n"), "n"),
    "quantizers": (LAYOUT.quantizer("n"), "n"),
    "quantizer records": (LAYOUT.quantizer_record("n"), "n"),
    "snapshots": (LAYOUT.snapshot("n"), "n"),
    "mesh trees": (LAYOUT.mesh_tree("n"), "n"),
    "vectors": (LAYOUT.vector_part("f", "s", "n"), "f/s/n"),
    "articles": (LAYOUT.article_part("n"), "n"),
    "worker shards": (str(PurePosixPath(LAYOUT.worker_shard("n", 0)).parent), "n"),
}


@pytest.mark.parametrize("kind", PLACES)
def test_what_is_listed_is_what_was_named(kind: FileKind) -> None:
    path, name = WRITTEN_ONCE[kind]
    folder, _, names = PLACES[kind].partition("/")
    assert path == f"/store/{folder}/{name}{names.rpartition('>')[2]}"
    assert PurePosixPath(path).match(f"/store/{folder}/{re.sub('<.*?>', '*', names)}")
    assert name.count("/") == names.count("/")


def test_a_path_takes_as_many_names_as_it_has() -> None:
    for names in ((), ("f", "s", "p", "more")):
        with pytest.raises(TypeError, match="arguments"):
            LAYOUT.vector_part(*names)


def test_every_kind_has_its_place() -> None:
    assert {*PLACES, "temporary"} == set(get_args(FileKind))


def test_the_root_cannot_be_changed_and_may_lie_anywhere() -> None:
    assert Layout("relative").version("v1") == "relative/versions/v1.json"
    with pytest.raises(FrozenInstanceError):
        LAYOUT.root = "/other"  # type: ignore[misc]


@pytest.mark.parametrize("path", [*PATHS, LAYOUT.run_report("r"), LAYOUT.tombstones("t"), LAYOUT.truth("t")])
def test_what_is_left_of_writing_any_file_is_found(path: str) -> None:
    left = PurePosixPath(path).with_name(f".{PurePosixPath(path).name}.123.tmp")
    found = {pattern for pattern in UNFINISHED if left.match(str(PurePosixPath("/store", pattern)))}
    assert bool(found) is not path.startswith(LAYOUT.sources)  # those are gone on with
