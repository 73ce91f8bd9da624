from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import PurePosixPath

import pytest

from schemas.layout import SEGMENT_FILES, SEGMENT_MANIFEST, Layout

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


def test_the_root_cannot_be_changed_and_may_lie_anywhere() -> None:
    assert Layout("relative").version("v1") == "relative/versions/v1.json"
    with pytest.raises(FrozenInstanceError):
        LAYOUT.root = "/other"  # type: ignore[misc]


def test_the_files_of_a_segment_have_names_of_their_own() -> None:
    assert len({*SEGMENT_FILES, SEGMENT_MANIFEST}) == 9
