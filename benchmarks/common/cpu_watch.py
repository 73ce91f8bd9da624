"""The CPU seconds of a process and all that it starts."""

import threading
from contextlib import suppress

import psutil


class CpuWatch:
    """Adds up the CPU seconds of this process and all that it starts, by a look every quarter of a second.

    Ray does not wait for its workers, so the kernel forgets what those that ended have used.
    """

    def __enter__(self) -> "CpuWatch":
        self._seen: dict[int, float] = {}
        self._look()
        self._before = sum(self._seen.values())
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()
        self.seconds = sum(self._seen.values()) - self._before

    def _watch(self) -> None:
        while not self._done.wait(0.25):
            self._look()

    def _look(self) -> None:
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                self._seen[process.pid] = times.user + times.system
