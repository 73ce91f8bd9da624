"""What a night reports, and that a version that was withdrawn stays so."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

import pytest

from actors.store.local_store import LocalStore
from jobs import compact, embed, index, ingest, nightly
from jobs.common.run_records import runs
from jobs.common.run_reports import json_values
from schemas.article import Article
from schemas.config import Stage
from schemas.errors import InputError, OverdueError
from schemas.layout import Layout
from schemas.manifest import Current, Gate
from tests.support.processes import ROOT
from tests.support.reports import night_report
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_part, add_snapshot, add_versions, config, set_current

REPORT = night_report(
    ingest={"ingested": 1, "added": 1000, "revised_text": 2, "revised_metadata": 3, "deleted": 4},
    embed={"encoded": 1002, "copied": 3},
    index={"version": "b", "articles": 2000, "segments": 3, "dead_rows": 9, "recall_at_10": 0.98765},
    compact={"reason": "not due"},
    version="b",
    seconds={"ingest": 1.0, "embed": 2.0, "index": 3.0, "promote": 0.1, "compact": 0.2},
    usd={"ingest": 0.01, "embed": 0.02, "index": 0.03, "promote": 0.001, "compact": 0.002},
)


def test_the_report_says_what_each_stage_did() -> None:
    shown = nightly.show(REPORT)
    assert shown.startswith("CURRENT is b\n")
    assert "1 new files: 1,000 added, 2 texts and 3 other records revised, 4 deleted" in shown
    assert "2,000 articles in 3 segments, 9 dead rows, recall@10 0.988" in shown
    assert "not due" in shown


def test_a_night_without_files_says_so() -> None:
    assert "no new files" in nightly.show(night_report(version="b"))


def test_advice_comes_last() -> None:
    assert nightly.show(night_report(compact={"advice": "train anew"})).endswith("\ntrain anew")


def test_a_withdrawn_version_is_told() -> None:
    shown = nightly.show(night_report(index={"version": "b"}, version="a", withdrawn=True))
    assert shown.startswith("CURRENT is a; b was withdrawn before, and is promoted only by name\n")
    assert shown.splitlines()[-1].split() == ["compact", "-", "not", "reached"]


def test_what_is_kept_of_a_night_has_the_keys_of_its_stages() -> None:
    always = {"ingest", "embed", "index", "version", "withdrawn", "seconds", "usd"}
    assert json_values(REPORT).keys() == {*always, "compact"}
    assert json_values(night_report()).keys() == always


def kept(folder: Path) -> dict[str, Any]:
    [file] = folder.glob("runs/*-nightly/report.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_a_night_whose_first_stage_fails_keeps_why(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        nightly.night(config(tmp_path / "store"), source="/nowhere")
    report = kept(tmp_path / "store")
    assert (report["job"], report["failed"], report["error"]) == ("nightly", "ingest", str(error.value))
    of_run = {"run", "job", "started", "finished", "outcome", "stage"}
    assert set(report) == {"format", *of_run, "failed", "error", "exit_code", "seconds", "usd", "logs"}
    log = (tmp_path / "store" / Layout.run_log(report["run"], "driver.log")).read_text()
    assert (report["logs"], "Traceback" in log, "/nowhere" in log) == (["driver.log"], True, True)
    assert report["exit_code"] == 1
    assert (report["outcome"], report["stage"]) == ("failed", "ingest")
    assert list(report["seconds"]) == ["ingest"]


def test_a_night_that_fails_later_keeps_what_was_done(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"))
    add_snapshot(store, [add_part(store, "a", Article(1), source_bytes=7)])
    (tmp_path / "a.xml").write_text("content")
    with pytest.raises(InputError, match="model 'tiny': no such folder"):  # the encoder, of which embed wants digests
        nightly.night(config(tmp_path / "store"), source=str(tmp_path / "a.xml"))
    report = kept(tmp_path / "store")
    assert (report["failed"], report["ingest"]["files"], "embed" in report) == ("embed", 1, False)
    assert list(report["seconds"]) == ["ingest", "embed"]


def test_an_error_that_is_not_for_users_is_kept_with_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "run", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        nightly.night(config(tmp_path), source="s")
    assert kept(tmp_path)["error"] == "ZeroDivisionError: division by zero"


def test_a_stage_that_takes_too_long_ends_the_night_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "run", lambda *_, **__: night_report().ingest)
    monkeypatch.setattr(embed, "run", lambda *_, **__: time.sleep(30))
    with pytest.raises(OverdueError) as error:
        nightly.night(config(tmp_path, night={"stage_seconds": {"embed": 0.2}}), source="s")
    report = kept(tmp_path)
    assert (report["outcome"], report["stage"], report["failed"]) == ("failed", "embed", "embed")
    assert report["error"] == str(error.value)
    assert report["error"].startswith("embed took longer than night.stage_seconds.embed = 0.2; ")
    assert 0.2 <= report["seconds"]["embed"] < 15
    assert (tmp_path / ".writer.lock").read_text() == ""  # nobody writes


FAILED = Gate(name="recall@10", value=0.9, limit=0.95, passed=False, why="version b finds 0.900; raise index.nprobe")


@pytest.mark.parametrize(
    ("made", "compacted", "served", "ends"),
    [
        ({"version": "b"}, {"version": "b"}, "b", "done"),
        ({"version": "c"}, {"version": "c"}, "a", "done"),  # was withdrawn
        ({"version": "b", "gates": (FAILED,)}, {"version": "b"}, "a", "checks failed"),
        ({"version": "b"}, {"version": "d"}, "d", "done"),
        ({"version": "b"}, {"version": "d", "gates": (FAILED,)}, "b", "checks failed"),
    ],
)
def test_what_was_withdrawn_or_did_not_pass_its_gates_is_not_promoted(
    made: dict[str, Any],
    compacted: dict[str, Any],
    served: str,
    ends: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = LocalStore(str(tmp_path))
    add_versions(store, "a", "b", "c", "d", parents={"b": "a", "c": "a", "d": "b"}, of=write_version(store))
    set_current(store, Current(version="a", withdrawn=("c",)))
    reports = night_report(index={"built": True, **made}, compact=compacted)
    for job in (ingest, embed, index, compact):
        monkeypatch.setattr(job, "run", lambda *_, job=job, **__: getattr(reports, job.__name__.split(".")[-1]))
    report = nightly.night(config(tmp_path), source="s")
    assert (report.version, kept(tmp_path)["outcome"]) == (served, ends)
    assert kept(tmp_path)["exit_code"] == (0 if ends == "done" else 5)
    assert kept(tmp_path)["figures"]["articles"] == report.figures.articles
    assert (report.trouble is None) == (ends == "done")
    assert set(report.seconds) <= set(get_args(Stage))
    if report.trouble:
        assert report.trouble == (
            5,
            "version b finds 0.900; raise index.nprobe. It is kept, and promoted by name alone",
        )


def test_a_night_tells_that_the_version_before_it_was_promoted_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(str(tmp_path))
    made = write_version(store)
    checks = made.checks.model_copy(update={"removed_share": 0.5})
    add_versions(store, "a", of=made.model_copy(update={"checks": checks}))
    set_current(store, Current(version="a"))
    reports = night_report(index={"version": "a"}, compact={"version": "a"})
    for job in (ingest, embed, index, compact):
        monkeypatch.setattr(job, "run", lambda *_, job=job, **__: getattr(reports, job.__name__.split(".")[-1]))
    report = nightly.night(config(tmp_path), source="s")
    [line] = [line for line in nightly.show(report).splitlines() if line.startswith("promoted by name: ")]
    assert "version a lacks 50.0% of the articles" in line
    assert report.trouble is None


def test_a_night_that_promotes_what_an_earlier_one_has_built_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(str(tmp_path))
    add_versions(store, "a", "b", parents={"b": "a"}, of=write_version(store))
    set_current(store, Current(version="a"))
    reports = night_report(index={"built": False, "version": "b"}, compact={"version": "b"})
    for job in (ingest, embed, index, compact):
        monkeypatch.setattr(job, "run", lambda *_, job=job, **__: getattr(reports, job.__name__.split(".")[-1]))
    for outcome in ("done", "nothing new"):
        nightly.night(config(tmp_path), source="s")
        assert runs(store).runs[-1].outcome == outcome


def test_a_night_that_is_held_says_so_and_has_an_exit_code_of_its_own() -> None:
    code, why = night_report(version="c", held="b").trouble or (0, "")
    assert code == 6
    assert why.startswith("held: somebody has changed CURRENT while version b was made; ")


def test_missing_update_files_are_told_by_an_exit_code_and_come_after_what_is_held() -> None:
    names = ("pubmed26n0002", "pubmed26n0003", "pubmed26n0004", "pubmed26n0005")
    code, why = night_report(ingest={"gaps": names}).trouble or (0, "")
    assert (code, "pubmed26n0002, pubmed26n0003, pubmed26n0004 and 1 more" in why) == (8, True)
    assert night_report(ingest={"gaps": names, "gaps_allowed": True}).trouble is None
    assert (night_report(ingest={"gaps": names}, held="b").trouble or (0, ""))[0] == 6


def test_update_files_that_were_not_whole_are_missing_too() -> None:
    code, why = night_report(ingest={"waited_for": ("pubmed26n0003",)}).trouble or (0, "")
    assert (code, "files are missing: pubmed26n0003; " in why) == (8, True)
    both = night_report(ingest={"waited_for": ("pubmed26n0003", "pubmed26n0005"), "gaps": ("pubmed26n0003",)})
    assert "missing: pubmed26n0003, pubmed26n0005; " in (both.trouble or (0, ""))[1]
    assert night_report(ingest={"waited_for": ("pubmed26n0003",), "gaps_allowed": True}).trouble is None


def test_what_no_service_answers_from_is_told() -> None:
    assert night_report(version="b", not_served="it answers from a").trouble == (
        7,
        "promoted, but not served: it answers from a",
    )


def test_a_night_without_news_does_without_what_takes_long_to_import() -> None:
    heavy = ("torch", "ray.data", "transformers", "openvino", "pandas", "fastapi", "s3fs")
    look = f"import sys, jobs.nightly; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"
