"""Which articles an encoder is tried with, and what is told when it is not."""

from pathlib import Path

from jobs import verify
from jobs.common.config import ROOT, load_config
from retrieval.articles.pmids import parse_pmids
from schemas.quality_report import VerifyReport

CONFIGS = ROOT / "infra" / "config"


def test_the_articles_lie_in_a_store_of_their_own(tmp_path: Path) -> None:
    overrides = [f"cache={tmp_path}", "store=/somebodys/store"]
    config = verify._own_store(load_config(str(CONFIGS / "medcpt.toml"), overrides, {}))
    assert config.store == str(tmp_path / "verify" / "MedCPT")
    assert config.selection.file is not None
    assert len(parse_pmids(Path(config.selection.file).read_text(), "")) == 1000


def test_where_values_differ_nothing_was_encoded() -> None:
    report = VerifyReport(encoder="e", source="s", tolerance=1, checks=(), failures=("query 1",))
    assert verify.show(report) == "the values differ, so nothing was encoded with these models"
