import re
from pathlib import PurePosixPath
from typing import get_args

import pytest

from schemas.layout import FOLDERS, PLACES, FileKind, Layout, Named, key_of, kind_of

KEYS = {
    Layout.current: "CURRENT",
    Layout.article_part("pubmed26n0001"): "articles/pubmed26n0001.parquet",
    Layout.source("a.xml.gz"): "sources/a.xml.gz",
    Layout.snapshot("s1"): "snapshots/s1.parquet",
    Layout.vector_part("f1", "abstract", "pubmed26n0001-0-64"): "vectors/f1/abstract/pubmed26n0001-0-64.parquet",
    Layout.quantizer("aa"): "quantizers/aa.faiss",
    Layout.quantizer_record("i1"): "quantizers/i1.json",
    Layout.worker_shard("i1", 3): "shards/i1/3",
    Layout.segment("g1"): "segments/g1",
    Layout.version("v1"): "versions/v1.json",
}


def test_keys_are_where_older_stores_have_them() -> None:
    assert {key: key for key in KEYS} == KEYS
    assert len(KEYS) == 10


def test_a_folder_that_is_listed_holds_one_kind_of_file() -> None:
    named = [place for place in vars(Layout).values() if isinstance(place, Named)]
    folders = [str(PurePosixPath(place.key).parent) for place in named]
    for place in (Layout.article_part, Layout.snapshot, Layout.version, Layout.vector_part):
        assert folders.count(str(PurePosixPath(place.key).parent)) == 1


WRITTEN_ONCE: dict[FileKind, tuple[str, str]] = {
    "versions": (Layout.version("n"), "n"),
    "segments": (Layout.segment("n"), "n"),
    "tombstones": (Layout.tombstones("n"), "n"),
    "truths": (Layout.truth("n"), "n"),
    "models": (Layout.model("n"), "n"),
    "quantizers": (Layout.quantizer("n"), "n"),
    "quantizer records": (Layout.quantizer_record("n"), "n"),
    "snapshots": (Layout.snapshot("n"), "n"),
    "selections": (Layout.selection("n"), "n"),
    "mesh trees": (Layout.mesh_tree("n"), "n"),
    "vectors": (Layout.vector_part("f", "s", "n"), "f/s/n"),
    "articles": (Layout.article_part("n"), "n"),
    "worker shards": (Layout.worker_shards("n"), "n"),
    "pairs": (Layout.pairs("n"), "n"),
    "texts of pairs": (Layout.pair_texts("n"), "n"),
    "pieces of pairs": (Layout.pairs_piece("p", "n"), "p/n"),
    "training runs": (Layout.training_run("n"), "n"),
    "checkpoints": (Layout.checkpoint("r", "n"), "r/n"),
}


@pytest.mark.parametrize("kind", PLACES)
def test_of_a_key_kind_and_name_are_known(kind: FileKind) -> None:
    key, name = WRITTEN_ONCE[kind]
    assert (kind_of(key), key_of(kind, name)) == ((kind, name), key)
    inside = kind_of(f"{key}/0/lists.faiss")
    assert inside == ((kind, name) if kind in FOLDERS else None)


@pytest.mark.parametrize(
    "key", ["CURRENT", "sources/a.xml.gz", "runs/r/report.json", "versions/.v.json.1.tmp", "versions"]
)
def test_what_is_not_written_once_is_of_no_kind(key: str) -> None:
    assert kind_of(key) is None


def test_what_is_temporary_has_its_key_as_name() -> None:
    assert key_of("temporary", "segments/.s.1.tmp") == "segments/.s.1.tmp"


def test_a_key_takes_as_many_names_as_it_has() -> None:
    for names in ((), ("f", "s", "p", "more")):
        with pytest.raises(TypeError, match="arguments"):
            Layout.vector_part(*names)


def test_every_kind_has_its_place() -> None:
    assert {*PLACES, "temporary"} == set(get_args(FileKind))
    assert all(re.fullmatch("[a-z]+/<.*", place) for place in PLACES.values())
