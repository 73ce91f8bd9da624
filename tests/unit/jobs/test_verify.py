"""The golden data that are shipped, which articles an encoder is tried with, and how a comparison is told."""

import re
from pathlib import Path

import pytest

from jobs import verify
from jobs.common.config import ROOT, load_config
from jobs.verify import find_golden, read_golden, show_checks
from retrieval.articles.pmids import parse_pmids
from schemas.errors import UsageError
from schemas.golden import Check
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


def test_the_golden_data_of_a_config_are_found_by_the_encoders_name() -> None:
    name = load_config(str(CONFIGS / "medcpt.toml"), [], {}).encoder.name
    golden = find_golden(name)
    assert (len(golden.query), len(golden.article), golden.procedure) == (3, 3, None)
    assert golden.rerank is not None
    assert [passage.logit for passage in golden.rerank.article] == [
        6.9363, -8.2063, -8.7692, -12.3450, -10.4416, -15.8475,
    ]  # fmt: skip
    assert golden.rerank.article[1].title == "Diabetes mellitus and its chronic complications."


def test_those_of_bmretriever_are_of_all_its_sizes() -> None:
    found = {size: find_golden(f"BMRetriever-{size}") for size in ("410M", "1B", "2B", "7B")}
    assert len(set(found.values())) == 1
    assert found["7B"].procedure == "bmretriever"


def test_an_encoder_without_golden_data_is_refused_with_those_that_have_some() -> None:
    with pytest.raises(UsageError) as error:
        find_golden("all-MiniLM-L6-v2")
    assert str(error.value) == (
        "encoder 'all-MiniLM-L6-v2': no published values, only of BMRetriever-410M, BMRetriever-1B, BMRetriever-2B, "
        "BMRetriever-7B, MedCPT; name another --config, or --golden"
    )


@pytest.mark.parametrize(
    ("content", "named"),
    [(None, "No such file or directory"), (b"tolerance = ", "not TOML"), (b"\xff", "not TOML"), (b"", "encoders")],
)
def test_a_golden_file_that_is_none_is_named(content: bytes | None, named: str, tmp_path: Path) -> None:
    file = tmp_path / "golden.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError) as error:
        read_golden(file)
    assert str(file) in str(error.value)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_the_table_has_a_line_per_check_and_states_the_tolerance() -> None:
    ends = (0.1, 0.2, 0.3, -0.4, 0.5, 0.6)
    checks = [
        Check(what="query 1", expected=ends, got=ends, difference=0.00004, passed=True),
        Check(what="logit 1", expected=(6.9363,), got=(7.0,), difference=0.0637, passed=False),
    ]
    lines = show_checks(checks, find_golden("MedCPT")).splitlines()
    assert lines[0] == "expected: the README of github.com/ncbi/MedCPT"
    shown = "0.1000 0.2000 0.3000 … -0.4000 0.5000 0.6000"
    assert [re.split(" {2,}", line) for line in (lines[1], *lines[3:])] == [
        ["what", "expected", "got", "difference", "(up to 0.001)"],
        ["query 1", shown, shown, "4.0e-05", "PASS"],
        ["logit 1", "6.9363", "7.0000", "6.4e-02", "FAIL"],
    ]
