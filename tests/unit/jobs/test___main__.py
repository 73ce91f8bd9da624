"""The command line: exit codes, one line per failure, results on stdout only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jobs.__main__ as main_module
from actors.store.local_store import LocalStore
from jobs import status
from jobs.__main__ import JOBS, main, module_of
from jobs.common.console import say
from schemas.errors import InputError, UsageError, WeightsError
from schemas.report import Report
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.store_files import add_versions


def call(monkeypatch: pytest.MonkeyPatch, store: Path, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["pubray", *arguments])
    monkeypatch.setenv("PUBRAY_STORE", str(store))
    return main()


def failure(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line of stderr."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pubray: ")
    assert err.count("\n") == 1
    return err.removeprefix("pubray: ").strip()


def test_the_files_of_the_room_are_the_commands() -> None:
    files = {f"jobs.{file.stem}" for file in Path(main_module.__file__).parent.glob("*.py")}
    assert files == {"jobs.__main__", *map(module_of, JOBS)}


def test_a_result_goes_to_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = LocalStore(str(tmp_path))
    add_versions(objects, "a", of=write_version(objects))
    assert call(monkeypatch, tmp_path, "promote", "a") == 0
    assert capsys.readouterr() == ("CURRENT is a\n", "")


def test_json_is_the_report_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, tmp_path, "status", "--json") == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["store"], err) == (str(tmp_path), "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["polish"], "no job 'polish'; there are demo, nightly, ingest,"),
        (["--set", "index.num_shard=2", "status"], "the nearest known key is 'index.num_shards'"),
        (["--set", "index", "status"], "--set 'index': write KEY=VALUE"),
        (["--config", "/nowhere.toml", "status"], "--config /nowhere.toml: No such file"),
        (["search", " "], "query = ' ': give text of 1 to 10000 characters"),
        (["search", "statins", "-k", "0"], "k = 0: input should be greater than or equal to 1"),
        (["demo", "--articles", "many", "--bad"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_exits_2(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not named:  # argparse's own refusal
        with pytest.raises(SystemExit, match="2"):
            call(monkeypatch, tmp_path, *arguments)
        return
    assert call(monkeypatch, tmp_path, *arguments) == 2
    assert named in failure(capsys)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["promote"], "has no version to promote; run pubray index first"),
        (["promote", "v9"], "version v9 is not in the store"),
        (["rollback"], "no other version before CURRENT"),
        (["search", "statins"], "has no CURRENT version; run pubray index, then pubray promote"),
        (["embed"], "holds no snapshot of articles; run pubray ingest"),
        (["ingest", "--source", "/nowhere"], "--source /nowhere: no such file or folder"),
        (["evaluate", "--mesh-topics", "5"], "has no CURRENT version"),
        (["search", "statins", "--url", "http://127.0.0.1:9"], "http://127.0.0.1:9 does not answer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_job_that_fails_exits_1(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, tmp_path, *arguments) == 1
    assert named in failure(capsys)


def test_a_store_that_is_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "store"
    file.write_text("")
    for job in ("status", "gc", "embed"):
        assert call(monkeypatch, file, job) == 2
        assert failure(capsys) == f"store = {str(file)!r}: a file; name a folder"


@pytest.mark.parametrize(("options", "said"), [([], "caf? ?/store"), (["--json"], "caf\\u00e9 \\u03b1/store")])
def test_a_terminal_that_knows_ascii_alone_gets_a_result(options: list[str], said: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PUBRAY_STORE": str(tmp_path / "café α" / "store")}
    command = [sys.executable, "-m", "jobs", "status", *options]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert said in done.stdout.decode("ascii")


@pytest.mark.parametrize(
    ("raised", "code", "named"),
    [
        (KeyboardInterrupt(), 130, "run it again to go on"),
        (InputError("f: bad"), 1, "f: bad"),
        (UsageError("k: bad"), 2, "k: bad"),
        (WeightsError("model 'm': nowhere"), 3, "model 'm': nowhere"),
        (
            OSError(28, "No space left on device", "/s/x"),
            1,
            "/s/x: no space left on device; make room, and run the job",
        ),
    ],
)
def test_what_a_job_raises_decides_the_exit_code(
    raised: BaseException,
    code: int,
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*_: object) -> None:
        try:
            raise raised
        except Exception as error:
            raise RuntimeError("as a worker's error arrives") from error

    monkeypatch.setattr(status, "run", run)
    assert call(monkeypatch, tmp_path, "status") == code
    assert named in failure(capsys)


def test_a_report_with_failures_is_printed_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status, "run", lambda *_: Report(failures=("query 1", "logit 3")))
    assert call(monkeypatch, tmp_path, "status", "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"failures": ["query 1", "logit 3"]}
    assert err == "pubray: not as it should be: query 1, logit 3\n"


@pytest.mark.parametrize(("options", "out", "err"), [([], "part\nwhole\n", ""), (["--json"], "{}\n", "part\n")])
def test_what_a_job_says_on_its_way_is_no_part_of_the_json(
    options: list[str],
    out: str,
    err: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_: object) -> Report:
        say("part")
        return Report()

    monkeypatch.setattr(status, "run", run)
    monkeypatch.setattr(status, "show", lambda _: "whole")
    assert call(monkeypatch, tmp_path, "status", *options) == 0
    assert capsys.readouterr() == (out, err)


def test_an_error_that_is_not_for_users_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call(monkeypatch, tmp_path, "status")


def test_help_names_every_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        call(monkeypatch, tmp_path, "--help")
    out = capsys.readouterr().out
    assert all(f"\n  {name}" in out for name in JOBS)
