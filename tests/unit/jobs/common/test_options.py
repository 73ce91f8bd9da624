import argparse
import importlib
import inspect
from collections.abc import Callable
from typing import Annotated

import pytest

from jobs.__main__ import JOBS, Job, module_of
from jobs.common.options import Option, add_options


def read(run: Callable[..., object], *words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_options(parser, run)
    return vars(parser.parse_args(words))


def sow(
    config: object,
    *,
    seed: Annotated[str, Option(place=True, metavar="TEXT")],
    depth: Annotated[int | None, Option("of the furrow", flag="-d")] = None,
    row_width: Annotated[float, Option("metres")] = 0.5,
    dry: Annotated[bool, Option("without water")] = False,
    elsewhere: int = 1,
) -> None:
    """Take options of every kind."""


def test_an_option_has_name_type_and_default_of_its_parameter() -> None:
    assert read(sow, "oats") == {"seed": "oats", "depth": None, "row_width": 0.5, "dry": False}
    words = ["oats", "-d", "3", "--row-width", "2", "--dry"]
    assert read(sow, *words) == {"seed": "oats", "depth": 3, "row_width": 2.0, "dry": True}


def test_what_has_no_default_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    def reap(*, field: Annotated[str, Option()], basket: Annotated[str, Option(place=True)]) -> None: ...

    assert read(reap, "--field", "f", "b") == {"field": "f", "basket": "b"}
    for words in (["b"], ["--field", "f"]):
        with pytest.raises(SystemExit):
            read(reap, *words)
        assert "required" in capsys.readouterr().err


@pytest.mark.parametrize("name", JOBS)
def test_every_job_declares_all_options_of_its_run(name: str) -> None:
    job: Job = importlib.import_module(module_of(name))
    assert callable(job.show)
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser, job.run)
    declared = {a.dest: inspect.Parameter.empty if a.required else a.default for a in parser._actions}
    config, *options = inspect.signature(job.run).parameters.values()
    assert config.kind is not inspect.Parameter.KEYWORD_ONLY
    assert {p.kind for p in options} <= {inspect.Parameter.KEYWORD_ONLY}
    of_all_jobs = {"overrides"}
    assert {p.name: p.default for p in options if p.name not in of_all_jobs} == declared
