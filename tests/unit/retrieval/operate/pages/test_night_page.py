"""The page of a night as its reader sees it: what it tells, that it is well-formed, escaped, small, and alone."""

import re
from typing import Any

import pytest
from lxml import html

from retrieval.operate.pages.night_page import NIGHTS, night_page
from retrieval.operate.pages.page_frame import OUTCOMES
from schemas.canary import CanaryAnswer
from schemas.night_report import NightRecord
from schemas.run import Run
from tests.support.night_records import GATES, NASTY, figures, record, run
from tests.support.page_nesting import Nesting
from tests.support.reports import night_report


def read(night: NightRecord, *others: Run) -> html.HtmlElement:
    return html.document_fromstring(night_page(night, [*others, run(30, night.outcome)], "/a/store"))


def found(page: html.HtmlElement, path: str) -> list[Any]:
    return list(page.xpath(path))


def text(page: html.HtmlElement) -> str:
    return " ".join(page.body.text_content().split())


EVERY_STATE = [
    record(outcome="running", report=None),
    record(outcome="running", report=None, stage="ingest", seconds={}),
    record(
        outcome="failed", report=None, stage="ingest", failed="ingest", error="E", exit_code=1, seconds={"ingest": 1}
    ),
    record(finished="2026-11-30T02:10:00+00:00", exit_code=0),
    record(report=night_report()),
    record(report=night_report(ingest={"ingested": 1}, index={"built": True}, compact={"compacted": True})),
    record(held="b", withdrawn=True, not_served="it answers from a", failures=("no disk",)),
    *(record(outcome=outcome, stage="embed") for outcome in [*OUTCOMES, "of a later pubray"]),
]


@pytest.mark.parametrize("night", EVERY_STATE)
def test_every_state_is_told_in_a_page_that_is_well_formed_and_needs_nothing_else(night: NightRecord) -> None:
    page = night_page(night, [run(n, figures=figures(n)) for n in range(1, 30)] + [run(30, night.outcome)], NASTY)
    nesting = Nesting()
    nesting.feed(page)
    nesting.close()
    assert nesting.open == []
    assert not re.search(r"https?:|url\(|@import|<script|\bon\w+=|src=", page)
    assert set(re.findall(r'href="([^"]*)"', page)) <= {
        "data:,",
        "report.json",
        *(f"../{run(n).run}/report.html" for n in range(1, 31)),
    }


def test_how_it_ended_comes_first() -> None:
    error = f"version b finds 0.900: {NASTY}"
    page = read(record(outcome="checks failed", error=error, exit_code=5, finished="2026-11-30T02:10:30+00:00"))
    outcome = page.find_class("outcome")[0]
    assert (page.find(".//h1").text, "bad" in outcome.classes) == ("Checks failed", True)
    told = text(page)
    assert error in told
    assert "exit code5" in told.replace(" ", "").replace("exitcode", "exit code")
    assert "2026-11-30 02:00 UTC" in told
    assert "10 min 30 s" in told
    assert told.index("Checks failed") < told.index("Warnings") < told.index("What changed")


@pytest.mark.parametrize(
    ("outcome", "headline"),
    [("failed", "Failed in embed"), ("died", "Died in embed"), ("running", "Running in embed"), ("done", "Done")],
)
def test_a_stage_is_told_where_it_matters(outcome: str, headline: str) -> None:
    assert read(record(outcome=outcome, stage="embed")).find(".//h1").text == headline


def test_what_changed_is_counted_and_shown_by_titles() -> None:
    told = text(read(record()))
    for row in ("added 1,234", "revised in text 617", "deleted 4", "encoded 1,851", "copied 40,000,000"):
        assert row in told
    assert f"31 {NASTY}" in told
    assert "32 (no title)" in told


def test_a_night_without_news_does_not_tell_what_changed_in_another() -> None:
    stale = night_report(ingest={"ingested": 0, "added": 1234}, index={"built": False})
    assert "1,234" not in text(read(record(report=stale)))
    rerun = night_report(ingest={"ingested": 0, "added": 1234}, index={"built": True})
    assert "1,234" in text(read(record(report=rerun)))


def test_stages_have_their_times_what_they_wrote_and_what_they_cost() -> None:
    page = read(record())
    rows = [" ".join(row.text_content().split()) for row in found(page, "//h2[text()='Stages']/..//tbody/tr")]
    assert rows[:3] == [
        "ingest 30.0 s 1.2 MB 0.50 USD 2 new of 3 files",
        "embed 1 min 00 s 3.0 kB 1.00 USD 1,851 encoded, 40,000,000 copied",
        "index 15.0 s 5 B 0.25 USD 0 segments, 2,000 articles",
    ]
    assert rows[3:] == ["promote 0.1 s 0.0017 USD", "compact 0.2 s 0 B 0.003 USD not due"]
    widths = [found(row, ".//rect/@width") for row in found(page, "//h2[text()='Stages']/..//tbody/tr")]
    assert widths[0] == ["50.00%", "100.00%", "50.00%"]
    assert widths[1] == ["100.00%", "0.24%", "100.00%"]


def test_a_night_by_an_earlier_pubray_has_no_costs() -> None:
    night = record()
    page = read(night.model_copy(update={"usd": {}}))
    assert "promote 0.1 s compact" in text(page)


def test_the_stage_that_goes_on_or_failed_is_named() -> None:
    assert "embed goes on" in text(read(record(outcome="running", report=None, stage="embed", seconds={"ingest": 1})))
    failed = record(outcome="failed", report=None, stage="embed", failed="embed", seconds={"ingest": 1, "embed": 2})
    assert "embed 2.0 s failed" in text(read(failed))


def test_gates_and_canaries_are_told() -> None:
    told = text(read(record()))
    assert "recall@10 0.9000 0.9500 ✗ no version b finds 0.900; raise index.nprobe" in told
    assert "canaries 0.5000 0.2500 ✓ yes" in told
    assert "what is found ✓ 401 402 403 404 405 406 407 408 409 410" in told
    assert f"{NASTY} ✗ not 8, 9 7" in told


def test_warnings_are_told() -> None:
    told = text(read(record(held="c", withdrawn=True, not_served="it answers from a", failures=("no disk",))))
    for warning in (
        "no disk",
        "Update files are missing: pubmed26n0002",
        "Done without update files that were not whole at NCBI: pubmed26n0004",
        f"Records rejected: 3, no PMID ({NASTY}, …)",
        "Version b was withdrawn before",
        "Version c is held",
        "Promoted, but not served: it answers from a",
        "train anew",
    ):
        assert warning in told
    assert "Warnings" not in text(read(record(report=night_report())))


def test_the_nights_before_are_a_line_each_and_the_last_is_linked() -> None:
    others = [run(n, "failed" if n == 29 else "done", figures=None if n == 29 else figures(n)) for n in range(20, 30)]
    embed = Run(run="20261129T230000-embed", job="embed", started="2026-11-29T23:00:00+00:00", outcome="done")
    night = record(figures=figures(30).model_dump())
    page = html.document_fromstring(night_page(night, [*others, embed, night], "/a/store"))
    [before] = [a for a in page.iter("a") if a.text == "The night before"]
    assert before.get("href") == f"../{others[-1].run}/report.html"
    assert "The night before: failed, 2026-11-29 02:00 UTC" in text(page)
    assert len(found(page, "//ol[@class='nights']/li")) == 11
    titles = [title.text for title in found(page, "//svg/title")]
    assert "articles over the last nights: from 2,020 to 2,030" in titles
    assert "recall@10 over the last nights: from 0.9900 to 0.9900" in titles
    assert "duration over the last nights: from 10 min 00 s to 10 min 00 s" in titles
    assert all(len(points.split()) == 10 for points in found(page, "//polyline/@points"))


def test_a_page_of_the_past_knows_nothing_of_what_came_after() -> None:
    page = html.document_fromstring(night_page(record(7), [run(n) for n in range(1, 10)], "/a/store"))
    assert [li.find("a").get("title")[:10] for li in found(page, "//ol[@class='nights']/li")][-1] == "2026-11-07"


def test_a_page_stays_small() -> None:
    titles = {str(pmid): "long title " * 300 for pmid in range(5)}
    samples = dict.fromkeys(("added", "revised_text", "revised_metadata", "deleted"), titles)
    canaries = tuple(CanaryAnswer(text="long query " * 50, found=tuple(range(10**7, 10**7 + 10))) for _ in range(60))
    large = night_report(
        ingest={"ingested": 1, "samples": samples, "gaps": tuple(f"pubmed26n{n:04}" for n in range(1000, 2000))},
        index={"gates": GATES, "canaries": canaries},
    )
    page = night_page(record(report=large), [run(n, figures=figures(n)) for n in range(1, 31)], "/a/store")
    assert len(page.encode()) < 300_000
    assert "long title" in page
    assert "pubmed26n1019 and 980 more" in page
    assert NIGHTS == 30
