import pytest

from jobs.common import console
from jobs.common.console import Progress, cut, fail, megabytes, table


def test_a_table_has_numbers_flush_right_and_text_flush_left() -> None:
    assert table(["name", "count"], [["a", 1], ["bcdef", 12345]]).splitlines() == [
        "name    count",
        "-----  ------",
        "a           1",
        "bcdef  12,345",
    ]


def test_a_table_of_a_generator_is_that_of_a_list() -> None:
    rows = [["a", 1.5], ["b", 100.25]]
    assert table(["x", "y"], (row for row in rows)) == table(["x", "y"], rows)


def test_cells_are_written_for_a_person() -> None:
    shown = table(["x"], [[None], [0.12345], [1234.5], [9999], [1_000_000]]).split()
    assert shown[2:] == ["-", "0.123", "1,234.5", "9999", "1,000,000"]


def test_a_table_without_rows_is_its_headers() -> None:
    assert table(["name", "n"], []) == "name  n\n----  -"


def test_progress_off_a_terminal_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "LINE_SECONDS", -1.0)
    progress = Progress("embed", 2000, "articles")
    progress.add(500)
    progress.add(1500)
    seconds = progress.finish()
    out, err = capsys.readouterr()
    assert out == ""
    assert "\r" not in err
    assert "\x1b" not in err
    first, second, last = err.splitlines()
    assert first.startswith("embed     500 of 2,000 articles, ")
    assert first.endswith(" s left")
    assert second.startswith("embed     2,000 of 2,000 articles, ")
    assert last.endswith(f", {seconds:.1f} s")


def test_progress_off_a_terminal_is_not_a_line_per_step(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("embed", 1000, "articles")
    for _ in range(1000):
        progress.add(1)
    progress.finish()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_progress_counts_what_units_hold_with_a_rate_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("ingest", 2, "files", "records")
    progress.add(1, 30_000)
    progress.add(1, 20_788)
    progress.finish()
    assert ", 50,788 records, " in capsys.readouterr().err


def test_a_line_about_one_unit_names_its_stage(capsys: pytest.CaptureFixture[str]) -> None:
    Progress("ingest", 2, "files").log("pubmed26n0001: done")
    assert capsys.readouterr() == ("", "ingest    pubmed26n0001: done\n")


def test_nothing_to_do_is_told_without_a_rate_of_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    Progress("ingest", 0, "files").finish()
    assert "ingest    0 of 0 files, 0.0/s" in capsys.readouterr().err


def test_a_failure_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail("no such file", 2) == 2
    assert capsys.readouterr() == ("", "pubray: no such file\n")


def test_long_text_is_cut_to_its_column() -> None:
    assert (cut("abcdef", 4), cut("abcd", 4)) == ("abc…", "abcd")


def test_sizes_are_in_megabytes() -> None:
    assert megabytes(1_234_567_890) == "1,234.6 MB"
