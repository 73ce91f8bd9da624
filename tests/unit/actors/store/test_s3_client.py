import pytest

from actors.store import s3_client
from actors.store.s3_client import asked
from schemas.errors import StoreError
from tests.support.s3.moto_server import forget_clients


class Server:
    """Answers with what is next, and counts the seconds that its client waits."""

    def __init__(self, *answers: Exception | str) -> None:
        self.answers, self.time = list(answers), 0.0

    def pause(self, seconds: float) -> None:
        self.time += seconds

    def __call__(self) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self) -> str:
        return asked("read", "bucket", "a/b", self, pause=self.pause, clock=lambda: self.time)


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "credentials", lambda: "the credentials by env")
    forget_clients()


def test_what_fails_while_a_server_is_busy_is_tried_again() -> None:
    assert Server(OSError("reset"), OSError("busy"), "content").ask() == "content"
    server = Server(*[OSError("reset\nby peer")] * 9)
    told = r"^s3://bucket/a/b: read: reset by peer; look after the bucket, the network and AWS_ENDPOINT_URL, then run"
    with pytest.raises(StoreError, match=told):
        server.ask()
    assert len(server.answers) == 5


def test_what_was_never_allowed_is_told_at_once() -> None:
    server = Server(PermissionError("Access Denied"), "content")
    told = r"^s3://bucket/a/b: read is not allowed \(Access Denied\) with the credentials by env; give their owner"
    with pytest.raises(StoreError, match=told):
        server.ask()
    assert server.time == 0


@pytest.mark.parametrize("first", ["content", FileNotFoundError()])
def test_what_was_allowed_once_is_tried_for_half_a_minute(first: Exception | str) -> None:
    server = Server(first, *[PermissionError()] * 4, "more", *[PermissionError()] * 99)
    if first == "content":
        server.ask()
    else:
        with pytest.raises(FileNotFoundError):
            server.ask()
    assert server.ask() == "more"
    server.time = 0.0
    with pytest.raises(StoreError, match="read is not allowed"):
        server.ask()
    assert 30 < server.time < 45


def test_that_there_is_no_object_is_not_tried_again() -> None:
    with pytest.raises(FileNotFoundError):
        Server(FileNotFoundError(), "content").ask()
