"""Which parts are missing, what is embedded already, and what is told."""

from pathlib import Path

import pytest

from jobs import embed
from jobs.common.run_reports import json_values
from jobs.common.store import ingested
from schemas.article import Article
from schemas.errors import StoreError, UsageError
from schemas.layout import Layout
from schemas.report import Agreement, EmbedReport
from schemas.vector import EmbedPlan
from tests.support.reports import filled
from tests.support.stores.made_store import MadeStore


@pytest.fixture
def store(tiny_encoder: Path, tmp_path: Path) -> MadeStore:
    made = MadeStore(tmp_path, tiny_encoder)
    made.publish([Article(pmid) for pmid in range(1, 11)])
    return made


def test_where_every_part_is_there_nothing_is_done_nor_kept(store: MadeStore) -> None:
    report = embed.run(store.config)
    assert (report.parts, report.embedded_parts, report.rows, report.seconds) == (3, 0, 0, 0)
    assert embed.show(report) == f"vectors {report.fingerprint}/all: 0 of 3 parts were new"
    assert not Path(store.files.root, "runs").exists()
    assert "check" not in json_values(report)


def test_missing_is_what_has_no_file(store: MadeStore) -> None:
    report = embed.run(store.config)
    plan = EmbedPlan(report.snapshot, "all", report.fingerprint)
    snapshot = ingested(store.files)
    [first, *_] = sorted(store.files.path(Layout.vector_parts(report.fingerprint, "all")).iterdir())
    first.unlink()
    assert [one.name for one in embed._missing(store.config, store.files, plan, snapshot)] == [first.stem]
    assert embed._earlier(store.config, store.files, plan) is None


def test_known_vectors_are_those_of_the_newest_snapshot_that_is_whole(store: MadeStore) -> None:
    report = embed.run(store.config)
    plan = EmbedPlan(report.snapshot, "all", report.fingerprint)
    store.publish([Article(11)])
    [late] = list(store.files.path(Layout.vector_parts(report.fingerprint, "all")).glob("night0001*"))
    late.unlink()
    assert embed._earlier(store.config, store.files, plan) == report.snapshot


def test_published_vectors_are_of_one_encoder(store: MadeStore) -> None:
    store.publish([Article(11)])
    for file in store.files.path("vectors").rglob("*.parquet"):
        file.unlink()
    with pytest.raises(UsageError, match="the published vectors are MedCPT's, the configured encoder is 'tiny'"):
        embed.run(store.config, import_npy="somewhere")


def test_parts_that_were_not_written_are_told() -> None:
    embed._check_complete([], set())
    with pytest.raises(StoreError, match=r"^a: bad \(and 1 more vector parts\); the other vector parts are written$"):
        embed._check_complete(["a: bad", "b: bad"], {"a", "b"})
    with pytest.raises(StoreError, match="2 vector parts were not written, a among them; run pubray embed again"):
        embed._check_complete([], {"b", "a"})


def test_the_counts_of_imports_are_shown_where_there_are_any() -> None:
    plain = embed.show(filled(EmbedReport, embedded_parts=1, without_title=3))
    assert "without title" in plain
    assert "unverified" not in plain
    agreement = filled_agreement()
    imported = filled(EmbedReport, embedded_parts=1, imported=2, check=agreement)
    assert "unverified" in embed.show(imported)
    assert json_values(imported)["check"]["pairs"] == 5


def filled_agreement() -> Agreement:
    return Agreement(pairs=5, min_cosine=1, median_cosine=1, max_norm_difference=0, median_norm_difference=0, below=0)
