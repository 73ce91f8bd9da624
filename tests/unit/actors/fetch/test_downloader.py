import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from email.utils import formatdate
from pathlib import Path
from random import Random

import pytest

from actors.fetch.downloader import CONNECTIONS, FAILURES, LONGEST_RETRY_AFTER, LONGEST_WAIT, Downloader, backoff
from schemas.errors import InputError
from tests.support.processes import within
from tests.support.pubmed.file_server import Fault, FileServer

CONTENT = Random(0).randbytes(300_000)
PATH = "/file"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "file").write_bytes(CONTENT)
    (folder / "text").write_text("42")
    with FileServer(folder) as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def downloader(waits: list[float]) -> Iterator[Downloader]:
    """Waits no longer than it takes to note for how long it would."""
    with closing(Downloader(waits.append, read_timeout=0.3)) as downloader:
        yield downloader


def download(downloader: Downloader, server: FileServer, folder: Path, start: bytes = b"") -> bytes:
    path = folder / "part"
    path.write_bytes(start)
    with path.open("ab") as part:
        downloader.download(server.url + PATH, part)
    return path.read_bytes()


def ranges(server: FileServer) -> list[tuple[str | None, int]]:
    return [(request.range, request.status) for request in server.asked(PATH)]


def test_a_document_is_read(downloader: Downloader, server: FileServer) -> None:
    assert downloader.get(f"{server.url}/text", int) == 42


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=503),
        Fault(status=408),
        Fault(status=429),
        Fault(drop=True),
        Fault(cut=1),
        Fault(stall=1),
    ],
    ids=["500", "503", "408", "429", "dropped", "cut", "stalled"],
)
def test_a_document_is_asked_for_again_until_it_comes(
    fault: Fault, downloader: Downloader, server: FileServer, waits: list[float]
) -> None:
    server.fail("/text", fault, fault)
    assert downloader.get(f"{server.url}/text", int) == 42
    assert len(server.asked("/text")) == 3
    assert len(waits) == 2


def test_a_document_that_cannot_be_read_is_asked_for_again(downloader: Downloader, server: FileServer) -> None:
    def whole(text: str) -> str:
        if text != "42":
            raise InputError(f"half: {text}")
        return text

    server.fail("/text", Fault(body=b"4"))
    assert downloader.get(f"{server.url}/text", whole) == "42"
    server.always("/text", Fault(body=b"4"))
    with pytest.raises(
        InputError, match=rf"/text: given up after {FAILURES} failures in a row, the last one: half: 4;"
    ):
        downloader.get(f"{server.url}/text", whole)


def test_the_length_of_a_file_is_told_without_its_bytes(
    downloader: Downloader, server: FileServer, waits: list[float]
) -> None:
    server.fail(PATH, Fault(status=503), Fault(drop=True), Fault(status=429))
    assert downloader.length(server.url + PATH) == len(CONTENT)
    assert [(request.method, request.sent) for request in server.requests] == [("HEAD", 0)] * 4
    assert len(waits) == 3


def test_a_length_that_is_not_told_is_an_error(downloader: Downloader, server: FileServer) -> None:
    server.always(PATH, Fault(chunked=True))
    with pytest.raises(InputError, match=rf"^{server.url}{PATH}: the server does not say how long it is; "):
        downloader.length(server.url + PATH)


@pytest.mark.parametrize("path", [PATH, "/text"])
def test_a_server_that_fails_on_and_on_is_given_up_by_name(
    path: str, downloader: Downloader, server: FileServer, tmp_path: Path
) -> None:
    server.always(path, Fault(status=503))
    with pytest.raises(
        InputError,
        match=rf"^{server.url}{path}: given up after {FAILURES} failures in a row, the last one: "
        r"503 Service Unavailable; run again to continue$",
    ):
        download(downloader, server, tmp_path) if path == PATH else downloader.get(server.url + path, int)
    assert len(server.asked(path)) == FAILURES


@pytest.mark.parametrize("status", [404, 403, 400])
def test_what_is_not_there_is_not_asked_for_twice(status: int, downloader: Downloader, server: FileServer) -> None:
    server.always("/text", Fault(status=status))
    with pytest.raises(InputError, match=rf"^{server.url}/text: the server answers {status} .*; check the address"):
        downloader.get(f"{server.url}/text", int)
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "127.0.0.1/x", "http://127.0.0.1:port/x"])
def test_an_address_that_cannot_work_is_refused_at_once(url: str, downloader: Downloader, waits: list[float]) -> None:
    with pytest.raises(InputError, match=r"give the address of a mirror of PubMed$") as caught:
        downloader.get(url, int)
    assert str(caught.value).startswith(f"{url}: ")
    assert waits == []


def test_waits_double_up_to_a_bound_and_differ() -> None:
    for failures, longest in [(1, 1), (2, 2), (3, 4), (6, 32), (7, LONGEST_WAIT), (60, LONGEST_WAIT)]:
        seconds = [backoff(failures) for _ in range(200)]
        assert longest / 2 <= min(seconds) < longest * 0.6
        assert longest * 0.9 < max(seconds) <= longest


def test_the_server_says_how_long_it_is_left_alone(
    downloader: Downloader, server: FileServer, waits: list[float]
) -> None:
    in_a_minute = formatdate(time.time() + 60, usegmt=True)
    server.fail("/text", *(Fault(status=503, retry_after=value) for value in ("7", "0", "3600", in_a_minute)))
    downloader.get(f"{server.url}/text", int)
    assert (waits[0], waits[2]) == (7, LONGEST_RETRY_AFTER)
    assert 1 <= waits[1] <= 2
    assert 50 < waits[3] <= 60


def test_a_server_that_wants_to_be_left_alone_for_long_is_not_asked_again(
    downloader: Downloader, server: FileServer, waits: list[float]
) -> None:
    server.always("/text", Fault(status=429, retry_after="86400"))
    with pytest.raises(
        InputError, match=rf"^{server.url}/text: 429 Too Many Requests, with Retry-After of 86,400 s; run again when"
    ):
        downloader.get(f"{server.url}/text", int)
    assert (len(server.requests), waits) == (1, [])


def test_who_asks_is_told(server: FileServer) -> None:
    with closing(Downloader(agent="pubray/1 (+me@example.org)")) as downloader:
        downloader.get(f"{server.url}/text", int)
    assert [request.agent for request in server.requests] == ["pubray/1 (+me@example.org)"]


def test_every_wait_is_told_with_its_reason(server: FileServer) -> None:
    told: list[str] = []
    server.fail("/text", Fault(status=503, retry_after="7"))
    with closing(Downloader(lambda _: None, on_retry=told.append)) as downloader:
        downloader.get(f"{server.url}/text", int)
    assert told == [f"{server.url}/text: 503 Service Unavailable; again in 7 s"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_cut_or_stalled_transfer_is_continued_where_it_ended(
    chunked: bool, downloader: Downloader, server: FileServer, tmp_path: Path
) -> None:
    server.fail(PATH, Fault(cut=100_000, chunked=chunked), Fault(stall=50_000, chunked=chunked), Fault(chunked=chunked))
    assert download(downloader, server, tmp_path) == CONTENT
    assert ranges(server) == [(None, 200), ("bytes=100000-", 206), ("bytes=150000-", 206)]
    assert sum(request.sent for request in server.requests) == len(CONTENT)


def test_an_answer_that_breaks_off_before_any_byte_is_asked_for_again(
    downloader: Downloader, server: FileServer, tmp_path: Path
) -> None:
    server.fail(PATH, Fault(drop=True), Fault(cut=0), Fault(stall=0))
    assert download(downloader, server, tmp_path) == CONTENT


def test_a_server_without_ranges_starts_over(downloader: Downloader, server: FileServer, tmp_path: Path) -> None:
    server.fail(PATH, Fault(ignore_range=True))
    assert download(downloader, server, tmp_path, CONTENT[:1000]) == CONTENT
    assert ranges(server) == [("bytes=1000-", 200)]


def test_a_part_that_has_everything_is_not_fetched_again(
    downloader: Downloader, server: FileServer, tmp_path: Path
) -> None:
    assert download(downloader, server, tmp_path, CONTENT) == CONTENT
    assert ranges(server) == [(f"bytes={len(CONTENT)}-", 416)]


def test_a_part_that_is_longer_than_the_file_is_started_over(
    downloader: Downloader, server: FileServer, tmp_path: Path
) -> None:
    assert download(downloader, server, tmp_path, CONTENT + b"more") == CONTENT
    assert ranges(server) == [(f"bytes={len(CONTENT) + 4}-", 416), (None, 200)]


def test_progress_resets_the_count_of_failures(
    downloader: Downloader, server: FileServer, tmp_path: Path, waits: list[float]
) -> None:
    server.fail(PATH, *[Fault(status=503)] * (FAILURES - 1), Fault(cut=1000), *[Fault(drop=True)] * (FAILURES - 2))
    assert download(downloader, server, tmp_path) == CONTENT
    assert waits[FAILURES - 2] > 20
    assert waits[FAILURES - 1] <= 1


def test_a_server_that_starts_over_and_over_is_given_up(
    downloader: Downloader, server: FileServer, tmp_path: Path
) -> None:
    server.always(PATH, Fault(cut=1000, ignore_range=True))
    with pytest.raises(InputError, match=f"given up after {FAILURES} failures"):
        download(downloader, server, tmp_path)
    assert len(server.requests) == FAILURES


def test_threads_have_two_connections_between_them(downloader: Downloader, server: FileServer, tmp_path: Path) -> None:
    server.always(PATH, Fault(rate=1_000_000))
    folders = [tmp_path / str(i) for i in range(4)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(4) as threads:
        contents = list(threads.map(lambda folder: download(downloader, server, folder), folders))
    assert contents == [CONTENT] * 4
    assert server.most_connections == CONNECTIONS == 2


def test_failures_open_no_third_connection(downloader: Downloader, server: FileServer, tmp_path: Path) -> None:
    faults = [Fault(cut=10_000), Fault(status=503), Fault(stall=20_000), Fault(drop=True), Fault(status=503)]
    server.fail(PATH, *faults * 2)
    folders = [tmp_path / str(i) for i in range(3)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(3) as threads:
        contents = list(threads.map(lambda folder: download(downloader, server, folder), folders))
    assert contents == [CONTENT] * 3
    assert server.most_connections <= CONNECTIONS


@pytest.mark.parametrize(
    "fault",
    [Fault(stall=50_000), Fault(rate=50_000), Fault(status=503, retry_after="200")],
    ids=["stalled", "slow", "waiting"],
)
def test_stop_ends_what_other_threads_do(fault: Fault, server: FileServer, tmp_path: Path) -> None:
    server.always(PATH, fault)
    with closing(Downloader(read_timeout=60)) as downloader, ThreadPoolExecutor(1) as threads:
        running = threads.submit(download, downloader, server, tmp_path)
        within(5, lambda: server.requests and (fault.status == 503 or server.requests[0].sent > 10_000))
        threading.Event().wait(0.1)
        start = time.monotonic()
        downloader.stop()
        with pytest.raises(CancelledError, match="fetching was stopped"):
            running.result(timeout=5)
        assert time.monotonic() - start < 2
        with pytest.raises(CancelledError):
            downloader.get(f"{server.url}/text", int)
    assert CONTENT.startswith((tmp_path / "part").read_bytes())
    assert server.asked("/text") == []
