"""Ingest on Ray: nights, a new year and NCBI's server, on real records and changes made from them."""

import hashlib
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs.common.run_reports import root_cause
from jobs.common.store import article_parts, ingested, newest_snapshot
from retrieval.ingest.made_files import raw_records, write_night
from schemas.config import Config
from schemas.errors import InputError, PubrayError, StoreError
from schemas.layout import SOURCES
from tests.support.pubmed.file_server import Fault, FileServer
from tests.support.pubmed.made_night import made_night
from tests.support.pubmed.made_year import write_reissue
from tests.support.pubmed.pubmed_files import (
    UPDATE,
    alive,
    configured,
    counts,
    cut,
    files,
    ingest_into,
    real_records,
)

pytestmark = pytest.mark.usefixtures("cluster")

DAY = date(2026, 11, 22)
UNUSABLE = 33977567
"""A real record with neither title nor abstract."""
Records = list[tuple[int, bytes]]


@pytest.fixture(scope="module")
def records(real: Path) -> Records:
    return list(raw_records(real))


@pytest.fixture(scope="module")
def pmids(records: Records) -> list[int]:
    return [pmid for pmid, _ in records]


@pytest.fixture
def source(real: Path, tmp_path: Path) -> Path:
    """A folder with the baseline of 2026: three files of 100 records."""
    return write_reissue([real], tmp_path / "source", 26, records_per_file=100)[0].parent


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path / "store")


def snapshot_id(config: Config) -> str | None:
    snapshot = newest_snapshot(LocalStore(config.store))
    return snapshot and snapshot.id


def refusal(kind: type[PubrayError], config: Config, source: object, *, baseline: bool = False) -> str:
    with pytest.raises(Exception) as caught:
        ingest_into(config, source, baseline=baseline)
    error = root_cause(caught.value)
    assert isinstance(error, kind)
    assert "\n" not in str(error)
    return str(error)


# --- nights ---------------------------------------------------------------------------------------------------------


def test_a_night_changes_what_it_names_and_nothing_else(
    source: Path, real: Path, pmids: list[int], config: Config
) -> None:
    first = ingest_into(config, source)
    assert (first.ingested, first.records, first.alive) == (3, 300, 300)
    assert counts(first) == {"added": 300}
    before = alive(config)
    assert list(before) == pmids

    new = {40_000_000 + i: pmid for i, pmid in enumerate(pmids[:7])}
    text, metadata, retracted = pmids[:6], pmids[100:105], pmids[110:114]
    versions, reissued, deleted = pmids[120:123], pmids[200:208], pmids[290:299]
    night = made_night(DAY, new, text, metadata, retracted, versions, reissued, [*deleted, 1, 2])
    write_night(real, source, "pubmed26n0004.xml.gz", night)
    report = ingest_into(config, source)
    assert (report.files, report.ingested, report.records, report.alive) == (4, 1, 333, 298)
    assert counts(report) == {
        "added": 7,
        "revised_text": 6,
        "revised_metadata": 12,
        "reissued": 8,
        "deleted": 9,
        "unchanged": 265,
        "unknown_deletions": 2,
    }

    expected = {pmid: article for pmid, article in before.items() if pmid not in deleted}
    update = "pubmed26n0004"
    for pmid in text:
        expected[pmid] = before[pmid]._replace(part=update, title=f"[made: revised {DAY}] {before[pmid].title}")
    for pmid in metadata:
        expected[pmid] = before[pmid]._replace(part=update, keywords=[*before[pmid].keywords, f"made: {DAY}"])
    for pmid in retracted:
        expected[pmid] = before[pmid]._replace(part=update, retracted=True)
    for pmid in versions:
        expected[pmid] = before[pmid]._replace(part=update, version=2)
    for pmid, old in new.items():
        expected[pmid] = before[old]._replace(part=update, title=f"[made from {old}] {before[old].title}")
    assert alive(config) == expected


def test_a_rerun_does_nothing_and_reports_the_same_rejects(cache: Path, tmp_path: Path, config: Config) -> None:
    some = real_records(cache, UPDATE, 7_800)
    cut(tmp_path / "source" / "pubmed26n0001.xml.gz", [r for r in some[:20] + some[-20:] if r[0] != UNUSABLE])
    cut(tmp_path / "source" / "pubmed26n0002.xml.gz", [r for r in some if r[0] == UNUSABLE])
    first = ingest_into(config, tmp_path / "source")
    assert first.rejected == {"neither title nor abstract": 1}
    assert first.rejected_samples == {"neither title nor abstract": [f"pubmed26n0002.xml.gz record 1, PMID {UNUSABLE}"]}
    before = files(config.store)
    second = ingest_into(config, tmp_path / "source")
    assert second == first.model_copy(update={"ingested": 0, "seconds": 0.0, "samples": {}, "bytes": 0})
    assert files(config.store) == before


def test_deletions_and_re_additions_follow_the_numbers_of_the_files(
    source: Path, real: Path, pmids: list[int], config: Config, tmp_path: Path
) -> None:
    twice, gone, back = pmids[:3]
    nights = {
        # as text, 10000 comes before 9998
        "pubmed26n9998.xml.gz": made_night(DAY, deleted=[twice, gone, back]),
        "pubmed26n9999.xml.gz": made_night(DAY, revised_text=[back, twice], reissued=[gone]),
        "pubmed26n10000.xml.gz": made_night(DAY, deleted=[twice, gone]),
        "pubmed26n10001.xml.gz": made_night(DAY, reissued=[twice]),
    }
    for name, night in nights.items():
        write_night(real, source, name, night)
    assert counts(ingest_into(config, source)) == {"added": 299}
    found = alive(config)
    assert gone not in found
    assert found[back].part == "pubmed26n9999"
    assert found[twice].part == "pubmed26n10001"
    assert not found[twice].title.startswith("[made")

    # night by night, and the last but one late
    own, folder = configured(tmp_path / "nightly"), tmp_path / "nights"
    ingest_into(own, source / "pubmed26n0001.xml.gz")
    reports = []
    for name in ("n0002", "n0003", "n9998", "n9999", "n10001", "n10000"):
        folder.mkdir(exist_ok=True)
        shutil.copy(source / f"pubmed26{name}.xml.gz", folder)
        reports.append(counts(ingest_into(own, folder)))
    assert [(r.get("added", 0), r.get("deleted", 0)) for r in reports] == [
        *((100, 0), (100, 0), (0, 3)),
        *((3, 0), (0, 0), (0, 1)),
    ]
    assert alive(own) == found
    assert ingested(LocalStore(own.store)).info.parts == ingested(LocalStore(config.store)).info.parts


# --- files that cannot be read --------------------------------------------------------------------------------------


def test_files_that_cannot_be_read_fail_by_name_and_the_others_complete(
    source: Path, pmids: list[int], config: Config
) -> None:
    path = source / "pubmed26n0002.xml.gz"
    whole, md5 = path.read_bytes(), path.with_name(f"{path.name}.md5").read_text()
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal(InputError, config, source).startswith(f"{path}: md5 ")  # the first line of defence
    path.with_name(f"{path.name}.md5").unlink()
    message = refusal(InputError, config, source)
    assert message.startswith("pubmed26n0002.xml.gz is not whole gzip: ")
    assert message.endswith("; the other files are done, and no snapshot was made")
    store = LocalStore(config.store)
    assert article_parts(store) == {"pubmed26n0001", "pubmed26n0003"}
    assert sorted(files(config.store)) == ["articles/pubmed26n0001.parquet", "articles/pubmed26n0003.parquet"]

    path.write_bytes(whole)
    path.with_name(f"{path.name}.md5").write_text(md5)
    report = ingest_into(config, source)
    assert (report.ingested, report.alive) == (1, 300)
    assert list(alive(config)) == pmids


def test_of_several_files_that_fail_the_number_is_told(source: Path, config: Config) -> None:
    for number in (1, 3):
        path = source / f"pubmed26n000{number}.xml.gz"
        path.write_bytes(path.read_bytes() + b"x")
    assert "(and 1 more files); the other files are done" in refusal(InputError, config, source)
    assert article_parts(LocalStore(config.store)) == {"pubmed26n0002"}


# --- a new year -----------------------------------------------------------------------------------------------------


def test_a_new_baseline_takes_over_only_when_it_is_whole_and_believed(
    source: Path, real: Path, pmids: list[int], config: Config, tmp_path: Path
) -> None:
    write_night(real, source, "pubmed26n0004.xml.gz", made_night(DAY, {40_000_000: pmids[0]}, revised_text=pmids[1:3]))
    ingest_into(config, source)
    before, old = alive(config), snapshot_id(config)
    sources = [real, source / "pubmed26n0004.xml.gz"]
    year = tmp_path / "year"
    lost = pmids[50:60]
    paths = write_reissue(sources, year, 27, without=lost, revised=pmids[100:104], records_per_file=100)
    assert [path.name for path in paths] == [f"pubmed27n000{number}.xml.gz" for number in (1, 2, 3)]

    assert "pubmed27n0001 begins a new year's baseline" in refusal(InputError, config, year)
    hidden = paths[1].rename(tmp_path / "hidden")
    assert refusal(InputError, config, year, baseline=True).startswith("the baseline lacks pubmed27n0002; ")
    paths[1].write_bytes(hidden.read_bytes()[:1000])
    assert refusal(InputError, config, year, baseline=True).startswith(f"{paths[1]}: md5 ")
    assert (snapshot_id(config), alive(config)) == (old, before)  # though two of three files are there

    hidden.rename(paths[1])
    message = refusal(StoreError, config, year, baseline=True)
    assert message.startswith("the new baseline lacks 10 of 301 articles (3.3%), allowed are 1.0%; if that is right, ")
    assert (snapshot_id(config), alive(config)) == (old, before)

    believed = configured(tmp_path / "store", message.rpartition("--set ")[2])
    report = ingest_into(believed, year, baseline=True)
    assert (report.lineage, report.files, report.ingested, report.alive) == (1, 3, 0, 291)
    assert counts(report) == {"revised_text": 4, "reissued": 287, "deleted": 10}
    after = alive(config)
    assert set(after) == set(before) - set(lost)
    assert {pmid for pmid in after if after[pmid].title != before[pmid].title} == set(pmids[100:104])
    assert {article.part for article in after.values()} == {path.name.removesuffix(".xml.gz") for path in paths}

    write_night(real, year, "pubmed27n0004.xml.gz", made_night(DAY, reissued=lost[:2], deleted=pmids[:1]))
    night = ingest_into(config, year)  # --baseline is said once
    assert (night.lineage, night.ingested) == (1, 1)
    assert counts(night) == {"added": 2, "deleted": 1, "unchanged": 290}
    assert ingest_into(config, year).snapshot == night.snapshot


# --- NCBI -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(source: Path, tmp_path: Path) -> Iterator[FileServer]:
    """Serves the baseline of 2026."""
    (tmp_path / "server" / "updatefiles").mkdir(parents=True)
    source.rename(tmp_path / "server" / "baseline")
    with FileServer(tmp_path / "server") as server:
        yield server


def asking(server: FileServer, folder: Path, *settings: str) -> Config:
    own = (f"ingest.ncbi_url={server.url}", "ingest.contact=me@example.org", "ingest.jitter_seconds=0")
    return configured(folder / "store", *own, "ingest.patience=0", *settings)


def fetched(server: FileServer) -> set[str]:
    """The names of files that were asked for, since the last call."""
    names = {request.path.rpartition("/")[2] for request in server.requests if request.path.endswith(".xml.gz")}
    server.requests.clear()
    return {name.removesuffix(".xml.gz") for name in names}


def test_ncbis_files_arrive_whatever_goes_wrong_and_only_once(
    server: FileServer, real: Path, pmids: list[int], tmp_path: Path
) -> None:
    config = asking(server, tmp_path, "ingest.max_vanished=0.02")
    first, second, third = (f"/baseline/pubmed26n000{number}.xml.gz" for number in (1, 2, 3))
    server.fail("/baseline/", Fault(status=503))
    server.fail(first, Fault(cut=5_000))
    server.fail(second, Fault(status=503), Fault(body=b"another file"))
    lie = hashlib.md5(b"").hexdigest()
    server.fail(f"{third}.md5", Fault(body=f"MD5(pubmed26n0003.xml.gz)= {lie}".encode()))
    report = ingest_into(config, "ncbi")
    assert (report.lineage, report.ingested, report.alive) == (0, 3, 300)
    size = (server.folder / first[1:]).stat().st_size
    assert [request.range for request in server.asked(first)] == [None, "bytes=5000-"]
    assert sum(request.sent for request in server.asked(first)) == size
    assert list(alive(config)) == pmids

    fetched(server)
    shutil.rmtree(LocalStore(config.store).path(SOURCES))  # what has its article part is not needed any more
    write_night(real, server.folder / "updatefiles", "pubmed26n0004.xml.gz", made_night(DAY, revised_text=pmids[:3]))
    night = ingest_into(config, "ncbi")
    assert counts(night) == {"revised_text": 3, "unchanged": 297}
    assert fetched(server) == {"pubmed26n0004"}
    assert ingest_into(config, "ncbi").snapshot == night.snapshot
    assert fetched(server) == set()

    # The new baseline appears file by file, while last year's updates are still there.
    shutil.rmtree(server.folder / "baseline")
    paths = write_reissue([real], server.folder / "baseline", 27, without=pmids[5:8], records_per_file=150)
    hidden = paths[0].rename(tmp_path / "hidden")
    assert refusal(InputError, config, "ncbi").startswith(f"{server.url}: the baseline lacks pubmed27n0001; ")
    assert snapshot_id(config) == night.snapshot
    hidden.rename(paths[0])
    fetched(server)
    year = ingest_into(config, "ncbi")
    assert (year.lineage, year.files, year.alive) == (1, 2, 297)
    assert counts(year) == {"revised_text": 3, "reissued": 294, "deleted": 3}
    assert fetched(server) == {"pubmed27n0001", "pubmed27n0002"}
    assert {article.part for article in alive(config).values()} == {"pubmed27n0001", "pubmed27n0002"}


def test_a_file_that_the_server_does_not_give_fails_by_name_and_the_others_complete(
    server: FileServer, tmp_path: Path
) -> None:
    config = asking(server, tmp_path)
    path = "/baseline/pubmed26n0001.xml.gz"
    server.always(path, Fault(status=404))
    assert refusal(InputError, config, "ncbi").startswith(f"{server.url}{path}: the server answers 404 Not Found; ")
    assert article_parts(LocalStore(config.store)) == {"pubmed26n0002", "pubmed26n0003"}
    server.heal()
    fetched(server)
    assert ingest_into(config, "ncbi").ingested == 1
    assert fetched(server) == {"pubmed26n0001"}


def test_an_update_that_is_not_whole_is_done_without_and_missed_until_it_comes(
    server: FileServer, real: Path, pmids: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = asking(server, tmp_path, "ingest.patience=0.5")
    updates = server.folder / "updatefiles"
    write_night(real, updates, "pubmed26n0004.xml.gz", made_night(DAY, revised_text=pmids[:3]))
    md5 = updates / "pubmed26n0004.xml.gz.md5"
    hidden = md5.rename(tmp_path / "md5")
    for gaps in ((), ("pubmed26n0004",)):
        report = ingest_into(config, "ncbi")
        assert (report.waited_for, report.gaps) == (("pubmed26n0004",), gaps)
        code, why = report.trouble or (0, "")
        assert (code, "update files are missing: pubmed26n0004; " in why) == (8, True)
        told = capsys.readouterr().err
        assert "not whole yet: " in told
        assert "goes on without pubmed26n0004, which the next run asks for again: " in told
        if not gaps:  # then a later one comes
            write_night(real, updates, "pubmed26n0005.xml.gz", made_night(DAY, revised_text=pmids[3:4]))
    assert (report.ingested, counts(report)) == (1, {"revised_text": 1, "unchanged": 299})
    assert report.bytes > 0
    hidden.rename(md5)
    whole = ingest_into(config, "ncbi")
    assert (whole.waited_for, whole.gaps, whole.trouble) == ((), (), None)
    assert counts(whole) == {"revised_text": 3, "unchanged": 297}


def test_ncbi_sees_two_connections_of_ours_at_most(server: FileServer, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        server.always(f"/baseline/pubmed26n000{number}.xml.gz", Fault(rate=200_000))
    ingest_into(asking(server, tmp_path), "ncbi")
    assert server.most_connections == 2
