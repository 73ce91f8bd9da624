"""The demo of training, with a tenth of its articles and a few steps."""

from pathlib import Path

import pytest
import ray.serve

from actors.store.stores import open_store
from jobs import train_demo
from jobs.common.store import served_version
from jobs.steps.demo.demo_data import CHOSEN
from retrieval.articles.pmids import parse_pmids
from schemas.config import Config

pytestmark = pytest.mark.whole


def test_it_mines_trains_measures_serves_and_goes_back(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pmids = parse_pmids(CHOSEN.read_text(), "chosen")
    for name, count in (("all", 400), ("few", 300)):
        (tmp_path / name).write_text("\n".join(map(str, pmids[:count])))
    monkeypatch.setattr(train_demo, "CHOSEN", tmp_path / "few")
    own = config.with_values(
        store=str(tmp_path / "store"),
        selection={"rule": "pmids", "file": str(tmp_path / "all")},
        mine={"limit": 300, "near": 8, "negatives": 0, "held_out": 0.3},
        train={"batch": 8, "neighbours": 4, "steps": 3, "warmup": 1, "measured": 20, "threads": 1},
    )
    try:
        report = train_demo.run(own)
    finally:
        ray.serve.shutdown()  # type: ignore[no-untyped-call]  # else the next service has this one's port
    assert report.trained.steps == 3
    assert {*report.topics} == {"retrieval", "reranked"}
    shown = train_demo.show(report)
    assert "held-out title" in shown
    assert "MeSH topics, reranked" in shown
    version = served_version(open_store(own))
    assert version.articles == 300
    assert version.encoder.name == own.encoder.name  # the start model's again
