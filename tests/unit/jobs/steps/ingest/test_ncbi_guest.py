"""A server on loopback, as NCBI's sees us."""

import time
from importlib.metadata import version
from pathlib import Path

import pytest

from jobs.steps.ingest.ncbi_guest import ncbi_guest
from jobs.steps.ingest.source_files import open_origin
from schemas.config import IngestConfig
from schemas.errors import UsageError
from tests.support.pubmed.file_server import FileServer, publish
from tests.support.stores.store_files import config

CONTACT = "me@example.org"
FOLDERS = ("baseline", "updatefiles")


def test_who_asks_is_told_and_the_listings_are_asked_for_once(tmp_path: Path) -> None:
    files = [f"/{folder}/pubmed26n000{number}.xml.gz" for number, folder in enumerate(FOLDERS, 1)]
    for file in files:
        folder, _, name = file[1:].partition("/")
        publish(tmp_path / "server" / folder, name, b"content")
    with FileServer(tmp_path / "server") as server:
        asking = config(tmp_path, ingest={"ncbi_url": server.url, "contact": CONTACT, "jitter_seconds": 0})
        with open_origin(asking, "ncbi", baseline=False) as origin:
            for key in origin.files:
                origin.fetch(key)
                origin.fetch(key)
    assert {request.agent for request in server.requests} == {f"pubray/{version('pubray')} (+{CONTACT})"}
    asked = [request.path for request in server.requests]
    assert asked == ["/baseline/", "/updatefiles/", files[0], f"{files[0]}.md5", files[1], f"{files[1]}.md5"]


def test_ncbi_is_not_asked_by_who_does_not_say_who_he_is() -> None:
    with pytest.raises(UsageError, match=r"^--source ncbi: NCBI is told who asks, and nobody says; set ingest.contact"):
        ncbi_guest(IngestConfig(), "--source")


def test_not_all_ask_at_the_same_moment() -> None:
    waits = list[float]()
    for _ in range(10):
        begun = time.monotonic()
        ncbi_guest(IngestConfig(contact=CONTACT, jitter_seconds=0.5), "--source").close()
        waits.append(time.monotonic() - begun)
    assert max(waits) - min(waits) > 0.1
    assert min(waits) < 0.5
