"""A real webhook on loopback: what it is told, how often it is asked, and that its address stays a secret."""

import logging

import pytest
from pydantic import SecretStr

from jobs.steps.night.notification import PAUSES, notify
from schemas.config import NotifyConfig
from schemas.run import NightEnd
from tests.support.ports import free_port
from tests.support.service.webhook import PATH, webhook

END = NightEnd(
    outcome="checks failed",
    exit_code=5,
    why="version b finds 0.9 < 0.95 & less",
    run="20261130T010000.000000-nightly",
    report="runs/20261130T010000.000000-nightly/report.json",
    store="s3://bucket/pubray",
    version="a",
    seconds=4321.5,
)


def to(url: str, **values: object) -> NotifyConfig:
    return NotifyConfig.model_validate({"url": url, **values})


def test_it_is_told_all_as_json() -> None:
    with webhook() as hook:
        notify(to(hook.url), END)
    assert hook.taken == [END.model_dump()]
    assert hook.taken[0].keys() == {"outcome", "exit_code", "why", "run", "report", "store", "version", "seconds"}


def test_slack_is_told_a_text() -> None:
    with webhook() as hook:
        notify(to(hook.url, format="slack"), END)
        notify(to(hook.url, format="slack"), END.model_copy(update={"why": None, "report": None}))
    assert hook.taken == [
        {
            "text": "pubray nightly: checks failed (exit 5) after 4,322 s\n"
            "version b finds 0.9 &lt; 0.95 &amp; less\n"
            "store s3://bucket/pubray\n"
            "report runs/20261130T010000.000000-nightly/report.json"
        },
        {"text": "pubray nightly: checks failed (exit 5) after 4,322 s\nstore s3://bucket/pubray"},
    ]


@pytest.mark.parametrize(
    ("outcome", "values", "told"),
    [("done", {}, False), ("nothing new", {}, False), ("died", {}, True), ("done", {"on": ["done"]}, True)],
)
def test_it_is_told_of_the_outcomes_that_are_wanted(outcome: str, values: dict[str, object], told: bool) -> None:
    with webhook() as hook:
        notify(to(hook.url, **values), END.model_copy(update={"outcome": outcome}))
        notify(NotifyConfig(), END)
    assert len(hook.taken) == told


def test_it_is_asked_again_until_it_takes_it(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    pauses = list[float]()
    with caplog.at_level(logging.INFO), webhook(503, 0, 302) as hook:
        notify(to(hook.url), END, pause=pauses.append)
    assert hook.taken == [END.model_dump()] * 4
    assert pauses == [*PAUSES]
    assert (capfd.readouterr().err, caplog.text) == ("", "")


def test_where_nobody_takes_it_one_line_says_so_without_the_address(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    pauses = list[float]()
    with caplog.at_level(logging.INFO), webhook(*[500] * 9) as hook:
        notify(to(hook.url), END, pause=pauses.append)
        assert len(hook.taken) == 1 + len(PAUSES)
    nobody = SecretStr(f"http://127.0.0.1:{free_port()}{PATH}")
    notify(NotifyConfig(url=nobody), END, pause=pauses.append)
    refused, gone = capfd.readouterr().err.splitlines()
    assert refused == "notify    127.0.0.1 answers 500; it is not told that the night ended: checks failed"
    assert gone.startswith("notify    127.0.0.1 does not answer (ConnectError); ")
    assert PATH not in f"{refused}{gone}{caplog.text}"
