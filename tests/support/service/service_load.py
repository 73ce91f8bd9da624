"""Clients of a service that ask at the same time."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

import httpx

from tests.support.processes import within

CLIENTS = 4
WAIT_SECONDS = 120
Body = dict[str, object]


@dataclass
class Load:
    """Clients that ask one after another until the end of a `with` block."""

    url: str
    body: Body | Callable[[int], Body]
    """What is asked, or what the request of a number asks: none is then answered from what the service keeps."""
    clients: int = CLIENTS
    path: str = "/v1/search"
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: list[httpx.Response] = field(default_factory=list)
    """With any status."""
    errors: list[str] = field(default_factory=list)
    """Where there was no answer."""
    _numbers: "count[int]" = field(default_factory=count)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._threads += [threading.Thread(target=self._ask) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def statuses(self) -> set[int]:
        """The statuses of all answers."""
        return {answer.status_code for answer in self.answers}

    def go_on(self, answers: int) -> None:
        """Wait until so many more have come, or failed."""
        done = len(self.answers) + len(self.errors)
        within(WAIT_SECONDS, lambda: len(self.answers) + len(self.errors) >= done + answers)

    def _ask(self) -> None:
        with httpx.Client(timeout=60, headers=self.headers) as client:
            while not self._ended.is_set():
                body = self.body(next(self._numbers)) if callable(self.body) else self.body
                try:
                    self.answers.append(client.post(f"{self.url}{self.path}", json=body))
                except httpx.HTTPError as error:
                    self.errors.append(repr(error))
