"""The alerts are valid, fire when they should, and lead to what is to be done."""

import re
import shutil
import subprocess

import pytest
import yaml

from jobs.common.config import ROOT
from retrieval.operate.store_metrics import METRICS

RULES = ROOT / "infra/monitoring/alerts.yml"
TESTS = ROOT / "infra/monitoring/alerts_test.yml"
PAGE = ROOT / "docs/operations.md"
ALERTS = {rule["alert"]: rule for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"] if "alert" in rule}


@pytest.mark.parametrize("command", [("check", "rules", str(RULES)), ("test", "rules", str(TESTS))])
def test_prometheus_takes_the_rules_and_they_fire_when_they_should(command: tuple[str, ...]) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; apt-get install prometheus")
    done = subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_fires_in_a_test() -> None:
    assert set(re.findall(r'alertname="(\w+)"', TESTS.read_text())) == {*ALERTS}


def test_each_says_what_it_is_and_where_to_read_on() -> None:
    for name, rule in ALERTS.items():
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_each_has_its_section() -> None:
    sections = {text.split("\n", 1)[0]: text for text in PAGE.read_text().split("\n## ")[1:]}
    assert ALERTS.keys() <= sections.keys()
    for name in ALERTS:
        assert re.findall(r"^\*\*(\w+):\*\*", sections[name], re.MULTILINE) == ["Means", "Look", "Do"]


def test_they_ask_for_metrics_that_there_are() -> None:
    asked = {name for rule in ALERTS.values() for name in re.findall(r"\bpubray_\w+", rule["expr"])}
    assert asked <= METRICS.keys()
