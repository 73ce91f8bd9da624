import logging

import pytest

from actors.service import refreshed_text
from actors.service.refreshed_text import RefreshedText
from schemas.errors import StoreError
from tests.support.processes import within


def test_it_is_made_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshed_text, "SECONDS", 0.01)
    made = list[int]()

    def make() -> str:
        made.append(len(made))
        return str(len(made))

    told = RefreshedText(make)
    assert (told.text, made) == ("", [])
    told.start()
    within(10, lambda: told.text > "2")


def test_while_it_cannot_be_made_it_is_empty_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter(["a", None, None, "b"])

    def make() -> str:
        if (answer := next(answers)) is None:
            raise StoreError("no bucket")
        return answer

    told, seen = RefreshedText(make), list[str]()
    with caplog.at_level(logging.ERROR, "pubray"):
        for _ in range(4):
            told.refresh()
            seen.append(told.text)
    assert seen == ["a", "", "", "b"]
    assert len(caplog.records) == 1
