"""Clients of a service that ask at the same time."""

import threading
from dataclasses import dataclass, field

import httpx

CLIENTS = 4


@dataclass
class Load:
    """Clients that ask one after another until the end of a `with` block."""

    url: str
    body: dict[str, object]
    clients: int = CLIENTS
    path: str = "/v1/search"
    answers: list[httpx.Response] = field(default_factory=list)
    """With any status."""
    errors: list[str] = field(default_factory=list)
    """Where there was no answer."""
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

    def _ask(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._ended.is_set():
                try:
                    self.answers.append(client.post(f"{self.url}{self.path}", json=self.body))
                except httpx.HTTPError as error:
                    self.errors.append(repr(error))
