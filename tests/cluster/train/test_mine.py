"""Pairs of real records, ranked by the version that is served."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actors.embed.towers import QueryTower
from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from jobs import mine
from jobs.steps.train import mining
from schemas.config import Config
from schemas.errors import InputError
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import Query
from schemas.training_report import MineReport

MINE = {"limit": 150, "near": 16, "negatives": 3, "ranks": (5, 60), "held_out": 0.2, "margin": 0.9}


@pytest.fixture(scope="module")
def mined(version: IndexVersion, config: Config) -> Iterator[tuple[Config, MineReport]]:
    own = config.with_values(mine=MINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mine, "PIECE_ROWS", 64)  # some pieces
        yield own, mine.run(own)


def pairs_of(config: Config, report: MineReport) -> pa.Table:
    return pq.read_table(LocalStore(config.store).path(Layout.pairs(report.pairs)))


def test_rankings_are_those_of_an_exact_search(mined: tuple[Config, MineReport], version: IndexVersion) -> None:
    config, report = mined
    rows = pairs_of(config, report).to_pylist()
    assert (report.new, report.version, len(rows), report.ranked) == (True, version.id, 150, 150)
    tower, store = QueryTower(config, 1), LocalStore(config.store)
    exact = IndexSearcher(store, version, exact=True)
    same = 0
    for row, best in zip(rows, exact.candidates(tower.encode([Query(row["query"]) for row in rows]), 64), strict=True):
        ranking = [pmid for pmid in best.pmids[:64].tolist() if pmid != row["pmid"]]
        same += row["near"] == ranking[:16]
        ranks = [ranking.index(pmid) for pmid in row["negatives"] if pmid in ranking]
        assert len(ranks) == len(row["negatives"]) <= 3
        assert all(4 <= rank < 60 for rank in ranks)  # one lower, where the positive is before it
        assert row["pmid"] not in row["near"] + row["negatives"]
    assert same >= 0.9 * len(rows)  # the index finds nearly what an exact search does
    assert report.ranks["10"] >= 0.5 * report.ranked
    assert report.examples


@pytest.mark.whole
def test_more_workers_make_the_same_set(mined: tuple[Config, MineReport], monkeypatch: pytest.MonkeyPatch) -> None:
    config, report = mined
    key = LocalStore(config.store).path(Layout.pairs(report.pairs))
    before = key.read_bytes()
    key.unlink()
    monkeypatch.setattr(mining, "nodes_of", lambda group: 2)
    again = mine.run(config)
    assert again.pairs == report.pairs
    assert key.read_bytes() == before


@pytest.mark.whole
def test_a_set_that_is_there_is_found(mined: tuple[Config, MineReport]) -> None:
    config, report = mined
    again = mine.run(config)
    assert (again.new, again.pairs, again.counts) == (False, report.pairs, report.counts)
    assert report.pairs in mine.show(again)


@pytest.mark.whole
def test_judged_articles_are_in_no_pair(mined: tuple[Config, MineReport], tmp_path: Path) -> None:
    config, report = mined
    judged = {row["pmid"] for row in pairs_of(config, report).slice(0, 40).to_pylist()}
    (tmp_path / "qrels.tsv").write_text("".join(f"q1\t{pmid}\t1\n" for pmid in judged))
    other = mine.run(config, exclude=str(tmp_path / "qrels.tsv"))
    rows: list[dict[str, Any]] = pairs_of(config, other).to_pylist()
    assert other.pairs != report.pairs
    assert not judged & {pmid for row in rows for pmid in [row["pmid"], *row["near"], *row["negatives"]]}


@pytest.mark.whole
def test_signals_that_no_article_gives_end_in_a_line(config: Config, version: IndexVersion) -> None:
    own = config.with_values(mine={"signals": [], "near": 0, "negatives": 0})
    with pytest.raises(InputError, match=r"no pair is made; name other mine\.signals"):
        mine.run(own)
