"""A service on loopback, asked whether it answers from a version."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.search.served_versions import ServedVersions
from actors.service.search_service import SearchService
from actors.web.api import create_app
from jobs.steps.night.service_check import why_not_served
from schemas.canary import CanaryAnswer
from schemas.config import Config
from schemas.manifest import IndexVersion
from tests.support.service.seams import SECONDS, VERSION, Lengths, Shelf, joined
from tests.support.service.serving import served
from tests.support.stores.store_files import config as any_config

QUESTION = "statins and muscle pain"
CHECKS = VERSION.checks.model_copy(update={"canaries": (CanaryAnswer(text=QUESTION, found=(3, 1), missing=()),)})
PROMOTED = VERSION.model_copy(update={"checks": CHECKS})
NEXT = PROMOTED.model_copy(update={"id": "v2"})


class Clock:
    """Time passes in pauses alone."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "canaries.toml").write_text(f'[[query]]\ntext = "{QUESTION}"\nmust_find = [1, 2]\n')
    return any_config(tmp_path / "store").with_values(
        index={"canaries": str(tmp_path / "canaries.toml")}, night={"service_seconds": 60}
    )


@contextmanager
def service(*pmids: int) -> Iterator[str]:
    with served(create_app(joined(Shelf(list(pmids))), SECONDS)) as url:
        yield url


def why(config: Config, url: str, version: IndexVersion) -> tuple[str | None, float]:
    clock = Clock()
    return why_not_served(config, url, version, pause=clock.pause, clock=clock), clock.seconds


def test_a_service_that_answers_from_it_is_not_waited_for(config: Config) -> None:
    with service(3, 1) as url:
        assert why(config, url, PROMOTED) == (None, 0.0)


def test_what_the_version_does_not_find_either_need_not_be_found(config: Config) -> None:
    with service(1) as url:
        assert why(config, url, PROMOTED) == (None, 0.0)


def test_a_canary_that_the_service_lacks_is_told(config: Config) -> None:
    with service(3) as url:
        found, waited = why(config, url, PROMOTED)
    assert found == f"{url} does not find PMID 1 by {QUESTION!r}, as version {PROMOTED.id} does"
    assert waited == 0


def test_one_that_goes_on_with_another_is_waited_for_and_told(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    with service(3, 1) as url:
        found, waited = why(config, url, NEXT)
    assert found == f"{url} answers from v1"
    assert 60 <= waited < 65
    assert capsys.readouterr().err.count("waiting") == 1


def test_one_that_takes_it_up_late_is_served(config: Config) -> None:
    versions = ServedVersions(PROMOTED)
    search = SearchService(versions, Lengths(), Shelf([3, 1]), None)

    async def answered(version: IndexVersion) -> str:
        return version.id

    def pause(_: float) -> None:
        versions.propose(NEXT)
        asyncio.run(versions.answer(answered))

    with served(create_app(search, SECONDS)) as url:
        assert why_not_served(config, url, NEXT, pause=pause) is None


def test_one_that_is_down_is_told(config: Config) -> None:
    found, waited = why(config, "http://127.0.0.1:9", PROMOTED)
    assert found is not None
    assert found.startswith("http://127.0.0.1:9 does not answer")
    assert waited >= 60
