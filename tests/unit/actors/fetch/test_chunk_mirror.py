import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from actors.fetch.chunk_mirror import ChunkMirror, FetchPlan, RemoteFile
from actors.fetch.downloader import CONNECTIONS, Downloader
from retrieval.embed.known.chunk_index import chunk_names
from schemas.errors import InputError, StoreError
from tests.support.pubmed.file_server import Fault, FileServer, listing_page

CHUNKS = (0, 2, 10)
CONTENTS = {name: Random(name).randbytes(90_000) for number in CHUNKS for name in chunk_names(number)}
WITHOUT_TEXTS = {name: content for name, content in CONTENTS.items() if not name.startswith("pubmed")}
VECTORS, PMIDS, TEXTS = chunk_names(2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    folder = tmp_path / "server" / "embeddings"
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    (folder / "README.txt").write_text("not wanted")
    with FileServer(tmp_path / "server") as server:
        yield server


def impatient(server: FileServer, folder: Path, seconds: float = 0.3) -> ChunkMirror:
    return ChunkMirror(f"{server.url}/embeddings/", folder / "chunks", Downloader(lambda _: None, read_timeout=seconds))


def fetch_all(server: FileServer, folder: Path, *, texts: bool = False, seconds: float = 0.3) -> list[RemoteFile]:
    with impatient(server, folder, seconds) as mirror:
        return list(mirror.fetch_all(mirror.plan(texts=texts)))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "chunks").iterdir()}


def gets(server: FileServer, name: str) -> list[str | None]:
    return [request.range for request in server.asked(f"/embeddings/{name}") if request.method == "GET"]


@pytest.mark.parametrize(("texts", "wanted"), [(False, WITHOUT_TEXTS), (True, CONTENTS)])
def test_all_chunks_are_fetched_and_lie_alone(
    texts: bool, wanted: dict[str, bytes], server: FileServer, tmp_path: Path
) -> None:
    # On a busy machine a server that answers may take longer than one that hangs should.
    fetched = fetch_all(server, tmp_path, texts=texts, seconds=30)
    assert sorted(fetched) == sorted((name, len(content)) for name, content in wanted.items())
    assert files(tmp_path) == wanted
    assert server.most_connections == CONNECTIONS == 2


def test_the_plan_is_in_the_order_of_chunks_and_fetches_nothing(server: FileServer, tmp_path: Path) -> None:
    with impatient(server, tmp_path) as mirror:
        plan = mirror.plan(texts=True)
    assert [file.name for file in plan.files] == [name for number in CHUNKS for name in chunk_names(number)]
    assert plan.missing_bytes == 9 * 90_000
    assert plan.free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert files(tmp_path) == {}
    assert {request.sent for request in server.requests[1:]} == {0}


def test_the_plan_says_files_bytes_hours_and_room_in_one_line() -> None:
    files = [RemoteFile(name, 1_500_000_000) for name in CONTENTS]
    line = str(FetchPlan(Path("/disk"), files, 10_800_000_000, 70_000_000_000))
    assert line == "9 files of 13.50 GB; to fetch: 10.80 GB, 0.3 hours at 10 MB/s; free in /disk: 70.00 GB"


def test_what_is_there_counts_as_fetched_and_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    fetch_all(server, tmp_path)
    (tmp_path / "chunks" / VECTORS).replace(tmp_path / "chunks" / f".{VECTORS}.part")
    with (tmp_path / "chunks" / f".{VECTORS}.part").open("r+b") as part:
        part.truncate(50_000)
    server.requests.clear()
    with impatient(server, tmp_path) as mirror:
        plan = mirror.plan(texts=False)
        assert plan.missing_bytes == 40_000
        assert len(list(mirror.fetch_all(plan))) == 6
    assert files(tmp_path) == WITHOUT_TEXTS
    assert {name: gets(server, name) for name in WITHOUT_TEXTS} == {
        name: ["bytes=50000-"] if name == VECTORS else [] for name in WITHOUT_TEXTS
    }


def test_without_room_nothing_is_fetched(server: FileServer, tmp_path: Path) -> None:
    with impatient(server, tmp_path) as mirror:
        plan = mirror.plan(texts=True)._replace(free_bytes=809_999)
        message = (
            rf"^{tmp_path}/chunks: 0\.00 GB free, 0\.00 GB are to be fetched; make room, or name a folder on another"
        )
        with pytest.raises(StoreError, match=message):
            next(mirror.fetch_all(plan))
        assert files(tmp_path) == {}
        assert len(list(mirror.fetch_all(plan._replace(free_bytes=810_000)))) == 9


def test_faults_are_survived(server: FileServer, tmp_path: Path) -> None:
    path = f"/embeddings/{VECTORS}"
    server.fail("/embeddings/", Fault(status=503), Fault(body=listing_page("/", list(CONTENTS))[:200].encode()))
    server.fail(path, Fault(status=503), Fault(drop=True), Fault())  # the last one answers for the length
    server.fail(path, Fault(cut=30_000), Fault(status=429), Fault(stall=30_000))
    fetch_all(server, tmp_path)
    assert files(tmp_path) == WITHOUT_TEXTS
    assert gets(server, VECTORS) == [None, "bytes=30000-", "bytes=30000-", "bytes=60000-"]
    assert server.most_connections <= CONNECTIONS


def test_a_file_that_ends_before_its_announced_length_has_no_name_and_is_continued(
    server: FileServer, tmp_path: Path
) -> None:
    path = f"/embeddings/{VECTORS}"
    server.fail(path, Fault(), Fault(body=CONTENTS[VECTORS][:60_000], chunked=True))
    message = rf"^{server.url}{path}: 60000 bytes came, 90000 were announced; run again to continue$"
    with pytest.raises(InputError, match=message):
        fetch_all(server, tmp_path)
    assert VECTORS not in files(tmp_path)
    assert files(tmp_path)[f".{VECTORS}.part"] == CONTENTS[VECTORS][:60_000]
    fetch_all(server, tmp_path)
    assert files(tmp_path) == WITHOUT_TEXTS
    assert gets(server, VECTORS) == [None, "bytes=60000-"]


def test_a_file_of_another_length_is_refused_before_anything_is_fetched(server: FileServer, tmp_path: Path) -> None:
    fetch_all(server, tmp_path)
    path = tmp_path / "chunks" / PMIDS
    path.write_bytes(b"older")
    with pytest.raises(InputError, match=rf"^{path}: 5 bytes, the server's has 90000; remove it to fetch that$"):
        fetch_all(server, tmp_path, texts=True)
    assert gets(server, TEXTS) == []


def test_an_error_stops_what_else_is_fetched_and_keeps_the_parts(server: FileServer, tmp_path: Path) -> None:
    stalled, refused, *_ = WITHOUT_TEXTS
    server.always(f"/embeddings/{stalled}", Fault(stall=30_000))
    with ChunkMirror(f"{server.url}/embeddings", tmp_path / "chunks", Downloader()) as mirror:
        plan = mirror.plan(texts=False)
        server.always(f"/embeddings/{refused}", Fault(status=404))
        start = time.monotonic()
        with pytest.raises(InputError, match=rf"/{refused}: the server answers 404 Not Found; "):
            list(mirror.fetch_all(plan))
        assert time.monotonic() - start < 30  # half of what a silent connection is given
    assert stalled not in files(tmp_path)
    assert refused not in files(tmp_path)
    server.heal()
    fetch_all(server, tmp_path)
    assert files(tmp_path) == WITHOUT_TEXTS


def test_stop_ends_a_fetch(server: FileServer, tmp_path: Path) -> None:
    with (
        ChunkMirror(f"{server.url}/embeddings", tmp_path / "chunks", Downloader()) as mirror,
        ThreadPoolExecutor(1) as threads,
    ):
        plan = mirror.plan(texts=False)
        server.always(f"/embeddings/{plan.files[0].name}", Fault(stall=30_000))
        fetching = mirror.fetch_all(plan)
        assert next(fetching).name != plan.files[0].name
        running = threads.submit(list, fetching)
        mirror.stop()
        with pytest.raises(CancelledError):
            running.result(timeout=5)


def test_who_reads_no_further_stops_the_fetch(server: FileServer, tmp_path: Path) -> None:
    server.always(f"/embeddings/{VECTORS}", Fault(rate=30_000))
    server.fail(f"/embeddings/{VECTORS}", Fault())
    with impatient(server, tmp_path) as mirror:
        fetching = mirror.fetch_all(mirror.plan(texts=False))
        next(fetching)
        del fetching
        with pytest.raises(CancelledError):
            mirror.plan(texts=False)


@pytest.mark.parametrize(
    ("names", "texts", "message"),
    [
        (["README.txt"], False, "no embeds_chunk_<i>.npy; "),
        ([VECTORS], False, f"{VECTORS} without {PMIDS}; "),
        ([VECTORS, PMIDS], True, f"no {TEXTS}; do without the texts, or try again later"),
    ],
)
def test_a_server_without_whole_chunks_is_refused(
    names: list[str], texts: bool, message: str, server: FileServer, tmp_path: Path
) -> None:
    server.always("/embeddings/", Fault(body=listing_page("/", names).encode()))
    with (
        impatient(server, tmp_path) as mirror,
        pytest.raises(InputError, match=f"^{server.url}/embeddings: ") as caught,
    ):
        mirror.plan(texts=texts)
    assert re.escape(message) in re.escape(str(caught.value))


def test_a_folder_that_cannot_be_made_is_named(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "chunks").write_text("a file")
    with impatient(server, tmp_path) as mirror, pytest.raises(StoreError, match=rf"^{tmp_path}/chunks: File exists; "):
        mirror.plan(texts=False)
