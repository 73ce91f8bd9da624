"""MedCPT's loss from files in its layout, beside its authors' procedure, with the embedded model; made texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.train.medcpt_loss import CONFIG, EMBEDDED, Files, compare
from jobs.common.config import load_config
from schemas.config import Config
from schemas.errors import UsageError

QUERIES = {"q1": "does aspirin help migraine?", "q2": "does insulin help ketoacidosis?"}
TEXTS = {
    "11": ["Aspirin for migraine.", "Migraine was relieved in 55 of 100 people."],
    "12": ["Aspirin and the stomach.", "Bleeding was seen in 3 of 100 people."],
    "13": ["Insulin in ketoacidosis.", "A low dose was enough."],
}
CLICKS = [("q1", "11", 40), ("q1", "12", 1), ("q2", "13", 3)]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    pairs = [json.dumps({"qid": qid, "pmid": pmid, "click": click}) for qid, pmid, click in CLICKS]
    for name, content in (("q.json", json.dumps(QUERIES)), ("t.json", json.dumps(TEXTS)), ("p", "\n".join(pairs))):
        (tmp_path / name).write_text(content)
    return Files(tmp_path / "p", tmp_path / "q.json", tmp_path / "t.json")


def config(**train: Any) -> Config:
    values = {"encoder": {"query": EMBEDDED, "article": EMBEDDED, "dimension": 384}, "train": train}
    return load_config(str(CONFIG), [], {}).with_values(**values)


def test_ours_is_the_authors(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(config(), files) == 0
    assert "PASS" in capsys.readouterr().out


@pytest.mark.parametrize("train", [{"alpha": 0.7}, {"masks": ("query",)}, {"temperature": 0.9}])
def test_another_loss_is_told(files: Files, train: dict[str, Any]) -> None:
    assert compare(config(**train), files) == 1


def test_a_pair_without_its_text_is_refused_in_a_line(files: Files) -> None:
    files.texts.write_text(json.dumps({"11": TEXTS["11"]}))
    with pytest.raises(UsageError, match=r"p: some of it is not in .*q\.json and .*t\.json; name those with it$"):
        compare(config(), files)
