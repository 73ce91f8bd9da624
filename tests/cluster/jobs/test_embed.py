"""Embed on Ray: nights and a new year, on real records and changes made from them; what is encoded, what is copied."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from actors.store.local_store import LocalStore
from jobs import embed, index, promote, search
from jobs.common.run_reports import json_values
from retrieval.embed.vector_parts import write_vector_part
from retrieval.ingest.made_files import write_night
from schemas.config import Config
from schemas.errors import CheckError, StoreError
from schemas.layout import Layout
from schemas.report import EmbedReport
from tests.support.models import tiny
from tests.support.pubmed.made_night import made_night
from tests.support.pubmed.made_year import write_reissue
from tests.support.pubmed.pubmed_files import ingest_into
from tests.support.stores.embedded_stores import (
    ROWS,
    Vectors,
    alive_vectors,
    assert_close,
    copied_store,
    vector_folder,
    vector_parts,
)

FIRST, SECOND = date(2026, 11, 22), date(2026, 11, 23)
SETTINGS = ["index.nlist=4", "index.nprobe=4", "index.recall_queries=10"]


@pytest.fixture
def source(embedded: Path, tmp_path: Path) -> Path:
    """A copy of the source files, for nights to be added."""
    return Path(shutil.copytree(embedded / "source", tmp_path / "source"))


@pytest.fixture
def config(embedded: Path, tmp_path: Path) -> Config:
    return copied_store(embedded / "store", tmp_path, *SETTINGS)


@pytest.fixture
def before(config: Config) -> Vectors:
    return alive_vectors(config)


def reports(config: Config) -> list[dict[str, Any]]:
    """The reports of the runs of embed that are kept, the oldest first."""
    folder = Path(config.store) / "runs"
    return [json.loads((run / "report.json").read_text()) for run in sorted(folder.glob("*-embed"))]


def counts(report: EmbedReport) -> dict[str, int]:
    names = ("embedded_parts", "rows", "encoded", "copied", "without_title", "without_abstract")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def nearest(vector: Vectors, pmid: int, to: Vectors) -> int:
    """The article whose vector is most like that of `pmid`."""
    return max(to, key=lambda other: float(to[other].astype(np.float32) @ vector[pmid].astype(np.float32)))


def assert_copied(after: Vectors, before: Vectors, encoded: dict[int, int]) -> None:
    """Vectors are as before bit by bit, but for those of `encoded`, which are of texts like those of other PMIDs."""
    for pmid in after:
        if pmid in encoded:
            assert nearest(after, pmid, before) == encoded[pmid]
            assert not np.array_equal(after[pmid], before[encoded[pmid]])
        else:
            assert np.array_equal(after[pmid], before[pmid])


def test_a_night_encodes_new_articles_and_revised_texts_and_copies_the_rest(
    real: Path, source: Path, config: Config, before: Vectors, unselected: list[int]
) -> None:
    pmids = list(before)
    new = {40_000_000 + i: pmid for i, pmid in enumerate(pmids[60:63])}
    text, metadata, retracted = [*pmids[:4], *unselected[:2]], [*pmids[10:15], unselected[3]], pmids[20:22]
    night = made_night(FIRST, new, text, metadata, retracted, pmids[30:32], pmids[40:45], pmids[50:53])
    write_night(real, source, "pubmed26n0004.xml.gz", night)
    ingest_into(config, source)
    times = vector_parts(config)
    report = embed.run(config)
    # records: 3 new, 6 texts, 6 metadata, 2 retracted, 2 versions, 5 as they were, 3 deletions
    assert counts(report) == {"embedded_parts": 3, "rows": 27, "encoded": 7, "copied": 9}
    assert report.parts == len(times) + 3
    kept = reports(config)
    assert len(kept) == 2
    assert json_values(report).items() <= kept[1].items()
    assert (kept[1]["job"], kept[1]["outcome"]) == ("embed", "done")
    assert vector_parts(config) | times == vector_parts(config)

    after = alive_vectors(config)
    assert set(after) == set(before) - set(pmids[50:53]) | set(new)
    assert_copied(after, before, new | {pmid: pmid for pmid in pmids[:4]})
    assert embed.run(config).embedded_parts == 0
    assert len(reports(config)) == 2


def test_a_night_that_was_not_embedded_is_made_up_for_by_the_next_one(
    real: Path, source: Path, config: Config, before: Vectors
) -> None:
    a, b, c, d, e, x, y = list(before)[::12][:7]
    new_a, new_b = 40_000_000, 40_000_001
    first = made_night(FIRST, {new_a: x}, revised_text=[a, b], revised_metadata=[c, d], deleted=[e])
    write_night(real, source, "pubmed26n0004.xml.gz", first)
    ingest_into(config, source)
    # a's text is again what it was before the first night, e is back
    second = made_night(SECOND, {new_b: y}, revised_text=[b, c], revised_metadata=[a, d], reissued=[e])
    write_night(real, source, "pubmed26n0005.xml.gz", second)
    ingest_into(config, source)
    report = embed.run(config)
    assert counts(report) == {"embedded_parts": 2, "rows": 12, "encoded": 4, "copied": 3}
    after = alive_vectors(config)
    assert set(after) == {*before, new_a, new_b}
    assert_copied(after, before, {new_a: x, new_b: y, b: b, c: c})


@pytest.mark.whole
def test_an_encoder_that_is_not_what_it_was_adds_no_vectors(
    real: Path, source: Path, config: Config, before: Vectors
) -> None:
    write_night(real, source, "pubmed26n0004.xml.gz", made_night(FIRST, {40_000_000: next(iter(before))}))
    ingest_into(config, source)
    times = vector_parts(config)
    for path in vector_folder(config).glob("*.parquet"):  # as another library would have made them
        table = pq.read_table(path)
        column = table["vector"].combine_chunks()
        vectors = np.roll(column.flatten().to_numpy().reshape(-1, column.type.list_size), 1, axis=1)
        present = column.is_valid().to_numpy(zero_copy_only=False)
        whole = np.zeros((len(table), vectors.shape[1]), np.float16)
        whole[present] = vectors
        write_vector_part(path, table["pmid"].to_numpy(), table["text_hash"].to_numpy(), whole, present)
    for _ in range(2):
        with pytest.raises(CheckError, match=r"^the encoder makes other vectors than are there, on .*: median cosine"):
            embed.run(config)
    assert vector_parts(config).keys() == times.keys()
    report = embed.run(config.with_values(embed={"min_agreement": -1}))
    assert report.probed > 0
    assert report.probe_cosine / report.probed < 0.99


@pytest.mark.whole
def test_a_row_that_a_late_file_brings_back_to_life_gets_its_vector(
    real: Path, source: Path, config: Config, before: Vectors
) -> None:
    pmid, other = list(before)[:2]
    write_night(real, source, "pubmed26n0005.xml.gz", made_night(SECOND, reissued=[pmid], revised_metadata=[other]))
    ingest_into(config, source)
    assert counts(embed.run(config)) == {"embedded_parts": 1, "rows": 2, "copied": 1}
    write_night(real, source, "pubmed26n0004.xml.gz", made_night(FIRST, deleted=[pmid]))
    ingest_into(config, source)
    assert counts(embed.run(config)) == {"embedded_parts": 2, "rows": 3, "copied": 2}
    assert_copied(alive_vectors(config), before, {})


def scores(config: Config, query: str) -> dict[int, float]:
    response = search.run(config, query=query, k=200, no_rerank=True)
    return {int(hit.id): hit.retrieval_score for hit in response.hits}


def promote_newest(config: Config) -> int:
    built = index.run(config)
    promote.run(config, version=built.version)
    return built.articles


@pytest.mark.whole
def test_a_new_year_copies_all_but_the_revised_text_and_is_searched_with_the_same_scores(
    real: Path, config: Config, before: Vectors, tmp_path: Path
) -> None:
    revised, lost, *_ = pmids = list(before)
    assert promote_newest(config) == len(pmids)
    old = scores(config, "blood pressure in rats")
    assert set(old) == set(before)

    write_reissue([real], tmp_path / "year", 27, without=[lost], revised=[revised], records_per_file=155)
    assert ingest_into(config, tmp_path / "year", baseline=True).lineage == 1
    report = embed.run(config)
    assert counts(report) == {"embedded_parts": 31, "rows": 299, "encoded": 1, "copied": len(pmids) - 2}
    after = alive_vectors(config)
    assert set(after) == set(before) - {lost}
    assert_copied(after, before, {revised: revised})

    assert promote_newest(config) == len(pmids) - 1
    new = scores(config, "blood pressure in rats")
    assert new[revised] != old[revised]
    assert new | {revised: old[revised], lost: old[lost]} == old


@pytest.mark.whole
def test_two_encoders_of_one_thread_give_the_vectors_of_one(embedded: Path, before: Vectors, tmp_path: Path) -> None:
    two = copied_store(embedded / "store", tmp_path / "two", "embed.actors=2", "embed.threads=1", vectors=False)
    assert counts(embed.run(two)) == {"embedded_parts": 30, "rows": 300, "encoded": len(before)}
    assert_close(alive_vectors(two), before)


@pytest.mark.whole
def test_a_damaged_article_part_fails_by_name_and_the_others_are_embedded(
    embedded: Path, before: Vectors, config: Config, tmp_path: Path
) -> None:
    own = copied_store(embedded / "store", tmp_path / "own", vectors=False)
    part = LocalStore(own.store).path(Layout.article_part("pubmed26n0002"))
    whole = part.read_bytes()
    part.write_bytes(whole[:-20])
    with pytest.raises(StoreError) as caught:
        embed.run(own)
    assert str(caught.value).startswith(f"{part}: not whole Parquet")
    assert str(caught.value).endswith("(and 9 more vector parts); the other vector parts are written")
    done = vector_parts(own)
    assert set(done) == {name for name in vector_parts(config) if not name.startswith("pubmed26n0002-")}
    assert reports(own) == []

    part.write_bytes(whole)
    assert embed.run(own).embedded_parts == 100 // ROWS
    assert vector_parts(own) | done == vector_parts(own)
    assert_close(alive_vectors(own), before)
    assert {file.suffix for file in vector_folder(own).iterdir()} == {".parquet"}


def test_a_model_that_cannot_be_loaded_is_named_in_one_line(embedded: Path, tmp_path: Path) -> None:
    model = tiny.encoder(tmp_path / "model")
    (model / "config.json").write_text("{}")
    own = copied_store(embedded / "store", tmp_path, vectors=False)
    own = own.model_copy(update={"encoder": tiny.spec(model), "cache": str(tmp_path / "cache")})
    with pytest.raises(StoreError) as caught:
        embed.run(own)
    assert str(caught.value).startswith(f"a worker of embed cannot start: ValueError: Unrecognized model in {model}")
    assert "\n" not in str(caught.value)
