import hashlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.fetch.downloader import Downloader
from actors.fetch.pubmed_mirror import FETCHES, Listing, PubmedMirror
from schemas.errors import AbsentError, InputError, StoreError
from tests.support.examples import examples
from tests.support.processes import within
from tests.support.pubmed.file_server import Fault, FileServer, listing_page, md5_text, publish

NAME = "pubmed26n0001.xml.gz"
PATH = f"/baseline/{NAME}"
CONTENT = Random(0).randbytes(300_000)
OLDER = Random(1).randbytes(300_000)
HEX = "0123456789abcdef0123456789abcdef"
ROOT = Path(__file__).parents[4]


@contextmanager
def ncbi(folder: Path) -> Iterator[FileServer]:
    """Serve a baseline of one file, and what else the test publishes."""
    (folder / "updatefiles").mkdir(parents=True)
    publish(folder / "baseline", NAME, CONTENT)
    with FileServer(folder) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with ncbi(tmp_path / "server") as server:
        yield server


def impatient(server: FileServer, folder: Path) -> PubmedMirror:
    return PubmedMirror(server.url, folder / "mirror", Downloader(lambda _: None, read_timeout=0.3))


def fetch(server: FileServer, folder: Path) -> Path:
    with impatient(server, folder) as mirror:
        return mirror.fetch(NAME, baseline=True)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "mirror").iterdir()}


def leave_part(folder: Path, content: bytes) -> None:
    (folder / "mirror").mkdir()
    (folder / "mirror" / f".{NAME}.part").write_bytes(content)


def test_the_listing_has_the_baseline_and_its_updates(server: FileServer, tmp_path: Path) -> None:
    publish(server.folder / "baseline", "pubmed26n0002.xml.gz", b"")
    for name in ("pubmed26n0004.xml.gz", "pubmed26n0003.xml.gz", "pubmed25n0009.xml.gz"):
        publish(server.folder / "updatefiles", name, b"")
    with impatient(server, tmp_path) as mirror:
        assert mirror.listing() == Listing(
            [NAME, "pubmed26n0002.xml.gz"], ["pubmed26n0003.xml.gz", "pubmed26n0004.xml.gz"]
        )
    assert not (tmp_path / "mirror").exists()


def test_a_listing_that_breaks_off_is_asked_for_again(server: FileServer, tmp_path: Path) -> None:
    publish(server.folder / "baseline", "pubmed26n0002.xml.gz", b"")
    page = listing_page("/baseline/", [NAME, "pubmed26n0002.xml.gz"])
    half = page[: page.index('<a href="pubmed26n0002')].encode()
    server.fail("/baseline/", Fault(body=half), Fault(cut=len(half)), Fault(cut=len(half), chunked=True))
    with impatient(server, tmp_path) as mirror:
        assert mirror.listing().baseline == [NAME, "pubmed26n0002.xml.gz"]
    assert len(server.asked("/baseline/")) == 4


@pytest.mark.parametrize(
    ("baseline", "updates", "message"),
    [
        ([], ["pubmed25n0009"], "a baseline without files; "),
        (["pubmed26n0001", "pubmed26n0003"], [], "the baseline lacks pubmed26n0002; "),
        (["pubmed26n0001", "pubmed27n0001"], [], "a baseline of the years 26 and 27 at once; "),
        (["pubmed26n0001"], ["pubmed26n0003"], "the baseline ends with pubmed26n0001.xml.gz, its updates start with "),
    ],
)
def test_without_a_whole_baseline_there_is_no_listing(
    baseline: list[str], updates: list[str], message: str, server: FileServer, tmp_path: Path
) -> None:
    for folder, names in (("baseline", baseline), ("updatefiles", updates)):
        page = listing_page(folder, [f"{name}.xml.gz" for name in names])
        server.always(f"/{folder}/", Fault(body=page.encode()))
    with impatient(server, tmp_path) as mirror, pytest.raises(InputError) as caught:
        mirror.listing()
    assert str(caught.value).startswith(f"{server.url}: {message}")


@pytest.mark.parametrize("style", ["openssl", "coreutils"])
def test_a_file_is_fetched_whole_and_lies_alone(style: str, server: FileServer, tmp_path: Path) -> None:
    publish(server.folder / "updatefiles", "pubmed26n0002.xml.gz", OLDER, style)
    with PubmedMirror(f"{server.url}/", tmp_path / "mirror", Downloader()) as mirror:
        path = mirror.fetch("pubmed26n0002.xml.gz", baseline=False)
    assert path == tmp_path / "mirror" / "pubmed26n0002.xml.gz"
    assert files(tmp_path) == {path.name: OLDER}


def test_what_is_there_is_not_asked_for(server: FileServer, tmp_path: Path) -> None:
    assert fetch(server, tmp_path) == fetch(server, tmp_path)
    assert [request.path for request in server.requests] == [PATH, f"{PATH}.md5"]


def test_a_file_has_its_name_only_when_it_is_verified(server: FileServer, tmp_path: Path) -> None:
    server.always(f"{PATH}.md5", Fault(status=404))
    with pytest.raises(AbsentError, match=rf"^{server.url}{PATH}\.md5: the server answers 404 Not Found; "):
        fetch(server, tmp_path)
    assert files(tmp_path) == {f".{NAME}.part": CONTENT}
    server.heal()
    fetch(server, tmp_path)
    assert files(tmp_path) == {NAME: CONTENT}
    assert sum(request.sent for request in server.asked(PATH)) == len(CONTENT)


@pytest.mark.parametrize(
    ("path", "lie"), [(PATH, OLDER), (f"{PATH}.md5", f"{HEX}  {NAME}".encode())], ids=["content", "md5"]
)
def test_a_file_of_another_md5_is_fetched_afresh(path: str, lie: bytes, server: FileServer, tmp_path: Path) -> None:
    server.fail(path, Fault(body=lie))
    fetch(server, tmp_path)
    assert files(tmp_path) == {NAME: CONTENT}
    assert [request.range for request in server.asked(PATH)] == [None, None]
    assert len(server.asked(f"{PATH}.md5")) == 2


def test_a_file_whose_md5_is_never_right_is_given_up_with_both_digests(server: FileServer, tmp_path: Path) -> None:
    server.always(f"{PATH}.md5", Fault(body=f"MD5({NAME})= {HEX}".encode()))
    found = hashlib.md5(CONTENT).hexdigest()
    with pytest.raises(
        AbsentError, match=rf"^{server.url}{PATH}: md5 {found}, published is {HEX}, {FETCHES} times in a row; try again"
    ):
        fetch(server, tmp_path)
    assert files(tmp_path) == {f".{NAME}.part": b""}
    assert len(server.asked(PATH)) == FETCHES


def test_the_md5_of_another_file_is_asked_for_again(server: FileServer, tmp_path: Path) -> None:
    server.fail(f"{PATH}.md5", Fault(body=md5_text("pubmed26n0002.xml.gz", CONTENT).encode()), Fault(body=b"<html>"))
    fetch(server, tmp_path)
    assert files(tmp_path) == {NAME: CONTENT}
    assert len(server.asked(PATH)) == 1


def test_a_part_is_continued(server: FileServer, tmp_path: Path) -> None:
    leave_part(tmp_path, CONTENT[:200_000])
    fetch(server, tmp_path)
    assert files(tmp_path) == {NAME: CONTENT}
    assert [(request.range, request.sent) for request in server.asked(PATH)] == [("bytes=200000-", 100_000)]


@pytest.mark.parametrize("part", [OLDER[:1000], OLDER, OLDER + b"more"], ids=["shorter", "as long", "longer"])
def test_a_part_of_an_older_edition_is_found_by_its_md5(part: bytes, server: FileServer, tmp_path: Path) -> None:
    leave_part(tmp_path, part)
    fetch(server, tmp_path)
    assert files(tmp_path) == {NAME: CONTENT}


def test_a_killed_process_is_continued_by_the_next(server: FileServer, tmp_path: Path) -> None:
    server.always(PATH, Fault(rate=600_000))
    script = (
        "import sys; from pathlib import Path; from actors.fetch.pubmed_mirror import PubmedMirror; "
        "from actors.fetch.downloader import Downloader; "
        "PubmedMirror(sys.argv[1], Path(sys.argv[2]), Downloader()).fetch(sys.argv[3], baseline=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, server.url, str(tmp_path / "mirror"), NAME], cwd=ROOT)
    within(60, lambda: server.requests and server.requests[0].sent > len(CONTENT) / 3)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    [(name, part)] = files(tmp_path).items()
    assert name == f".{NAME}.part"
    assert CONTENT.startswith(part)
    server.heal()
    fetch(server, tmp_path)
    assert files(tmp_path) == {NAME: CONTENT}
    first, second = server.asked(PATH)
    assert second.range == f"bytes={len(part)}-"
    assert len(CONTENT) <= first.sent + second.sent < len(CONTENT) * 1.2


def test_two_mirrors_of_one_folder_fetch_a_file_once(server: FileServer, tmp_path: Path) -> None:
    server.always(PATH, Fault(rate=1_500_000))

    def work(_: int) -> Path:
        with PubmedMirror(server.url, tmp_path / "mirror", Downloader()) as mirror:
            return mirror.fetch(NAME, baseline=True)

    with ThreadPoolExecutor(3) as threads:
        assert len(set(threads.map(work, range(3)))) == 1
    assert files(tmp_path) == {NAME: CONTENT}
    assert [request.range for request in server.asked(PATH)] == [None]


def test_a_full_disk_is_one_clear_line_and_keeps_the_part(server: FileServer, tmp_path: Path) -> None:
    # a limit on the size of files stands in for a full disk: write() fails in the same way
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StoreError) as caught:
            fetch(server, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    part = tmp_path / "mirror" / f".{NAME}.part"
    assert str(caught.value) == f"{part}: File too large; mend that and run again, what was fetched is kept"
    assert part.read_bytes() == CONTENT[:100_000]
    fetch(server, tmp_path)
    assert files(tmp_path) == {NAME: CONTENT}
    assert server.asked(PATH)[-1].range == "bytes=100000-"


def test_a_folder_that_cannot_be_made_is_named(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "mirror").write_text("a file")
    with pytest.raises(StoreError, match=rf"^{tmp_path}/mirror/\.{NAME}\.part: File exists; "):
        fetch(server, tmp_path)
    assert server.requests == []


def test_stop_ends_a_fetch_and_keeps_the_part(server: FileServer, tmp_path: Path) -> None:
    server.always(PATH, Fault(stall=100_000))
    with PubmedMirror(server.url, tmp_path / "mirror", Downloader()) as mirror, ThreadPoolExecutor(1) as threads:
        running = threads.submit(mirror.fetch, NAME, baseline=True)
        part = tmp_path / "mirror" / f".{NAME}.part"
        within(5, lambda: part.exists() and part.stat().st_size == 100_000)
        mirror.stop()
        with pytest.raises(CancelledError):
            running.result(timeout=5)
    assert files(tmp_path) == {part.name: CONTENT[:100_000]}


def patient(server: FileServer, folder: Path, seconds: float, told: list[str]) -> PubmedMirror:
    return PubmedMirror(server.url, folder / "mirror", Downloader(on_retry=told.append), seconds)


@pytest.mark.parametrize("path", [PATH, f"{PATH}.md5"])
def test_a_file_that_is_not_whole_yet_is_waited_for(path: str, server: FileServer, tmp_path: Path) -> None:
    server.fail(path, Fault(status=404))
    told = list[str]()
    with patient(server, tmp_path, 0.3, told) as mirror:
        mirror.fetch(NAME, baseline=True)
    assert files(tmp_path) == {NAME: CONTENT}
    [line] = told
    assert line.startswith(f"not whole yet: {server.url}{path}: the server answers 404 Not Found; ")
    assert sum(request.sent for request in server.asked(PATH)) == len(CONTENT)


def test_all_files_that_are_not_whole_are_waited_for_together(server: FileServer, tmp_path: Path) -> None:
    other = "pubmed26n0002.xml.gz"
    publish(server.folder / "baseline", other, OLDER)
    server.always(f"{PATH}.md5", Fault(body=f"MD5({NAME})= {HEX}".encode()))
    server.always(f"/baseline/{other}.md5", Fault(status=404))
    told, begun = list[str](), time.monotonic()
    with patient(server, tmp_path, 3, told) as mirror:
        for name in (NAME, other):
            with pytest.raises(AbsentError):
                mirror.fetch(name, baseline=True)
        assert 3 <= time.monotonic() - begun < 6
        server.heal()
        mirror.fetch(NAME, baseline=True)
    assert len(told) == 1
    assert len(server.asked(PATH)) == 2 * FETCHES + 1


def test_what_is_waited_for_is_looked_at_less_and_less_often(server: FileServer, tmp_path: Path) -> None:
    server.fail(f"{PATH}.md5", *[Fault(status=404)] * 4)
    waits = list[float]()
    with PubmedMirror(server.url, tmp_path / "mirror", Downloader(waits.append), patience=350) as mirror:
        mirror.fetch(NAME, baseline=True)
    assert waits[:2] == [60, 120]
    assert [round(wait) for wait in waits[2:]] == [240, 350]


FAULTS = st.one_of(
    st.builds(Fault, status=st.sampled_from([500, 503, 429])),
    st.builds(Fault, drop=st.just(True)),
    st.builds(Fault, cut=st.integers(0, len(CONTENT)), ignore_range=st.booleans(), chunked=st.booleans()),
    st.builds(Fault, stall=st.integers(0, len(CONTENT)), ignore_range=st.booleans()),
    st.builds(Fault, body=st.sampled_from([b"", b"<html>", OLDER, CONTENT[:-1], CONTENT + b"more"])),
    st.just(Fault(status=404)),
)


@examples(3, whole=15)
@given(part=st.integers(0, len(CONTENT)), of_file=st.lists(FAULTS, max_size=12), of_md5=st.lists(FAULTS, max_size=4))
def test_whatever_goes_wrong_a_file_is_right_or_absent_and_comes_in_the_end(
    part: int, of_file: list[Fault], of_md5: list[Fault]
) -> None:
    with tempfile.TemporaryDirectory() as name, ncbi(Path(name) / "server") as server:
        folder = Path(name)
        leave_part(folder, CONTENT[:part])
        server.fail(PATH, *of_file)
        server.fail(f"{PATH}.md5", *of_md5)
        try:
            fetch(server, folder)
        except InputError:
            assert NAME not in files(folder)
        else:
            assert files(folder) == {NAME: CONTENT}
        server.heal()
        assert fetch(server, folder).read_bytes() == CONTENT
