from pathlib import Path

import pytest

from jobs import status
from retrieval.articles import Article
from retrieval.storage import write_bytes
from schemas.errors import IntegrityError
from schemas.layout import ROWS, Layout
from schemas.manifest import Current
from schemas.snapshot import Lineage
from tests.unit.actors.index import write_version
from tests.unit.jobs.stores import add_part, add_snapshot, add_versions, config, options, set_current


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    report = status.run(config(tmp_path / "none"), options(verify=False))
    assert (report["current"], report["versions"], report["records"]) == (None, [], 0)
    assert report["bytes"] == {"articles": 0, "vectors": 0, "segments": 0}
    assert "no versions yet: pubray embed, then pubray index" in status.show(report)


def test_parts_of_the_newest_snapshot_are_counted_and_the_newest_named(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    first = add_part(layout, "pubmed26n0001", Article(1), Article(2), Article(3))
    second = add_part(layout, "pubmed26n0002", Article(3, title="new"), Article(1, deleted=True), Article(9))
    snapshot = add_snapshot(layout, [first, second], add_snapshot(layout, [first]))
    report = status.run(config(tmp_path), options(verify=False))
    assert (report["snapshot"], report["articles"], report["pending_parts"]) == (snapshot.id, 3, [])
    assert (report["article_parts"], report["records"], report["newest_source"]) == (2, 5, "pubmed26n0002")
    assert report["bytes"]["articles"] == sum(f.stat().st_size for f in (tmp_path / "articles").iterdir())
    assert "2 article parts, 5 records, newest pubmed26n0002; 3 articles" in status.show(report)


def test_parts_of_no_snapshot_are_pending(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    old = add_snapshot(layout, [add_part(layout, "pubmed26n0001", Article(1))])
    names = ["pubmed27n0010", "pubmed27n0009"]
    parts = [add_part(layout, name, Article(2)) for name in names]
    report = status.run(config(tmp_path), options(verify=False))
    assert (report["article_parts"], report["pending_parts"]) == (1, names[::-1])
    assert "2 article parts, from pubmed27n0009, are in no snapshot yet: run pubray ingest again" in status.show(report)
    add_snapshot(layout, parts[::-1], old, Lineage(number=1, baseline=("pubmed27n0009", "pubmed27n0010")))
    assert status.run(config(tmp_path), options(verify=False))["pending_parts"] == []  # nor are last year's


def test_current_and_withdrawn_versions_are_marked(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    add_versions(layout, "a", "b", "c")
    set_current(layout, Current(version="b", withdrawn=("c",)))
    report = status.run(config(tmp_path), options(verify=False))
    assert [v["version"] for v in report["versions"]] == ["a", "b", "c"]
    a, b, c = (line.split() for line in status.show(report).splitlines()[-3:])
    assert a[:2] == ["a", "2026-01-01T00:00:00+00:00"]
    assert b[:2] == ["b", "CURRENT"]
    assert c[:2] == ["c", "withdrawn"]


def test_verify_reads_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.storage.HEAD_BYTES", 1024)  # the flipped byte is not in the head
    layout = Layout(str(tmp_path))
    version = write_version(layout)
    write_bytes(layout.version(version.id), version.model_dump_json().encode())
    assert "every file of every version has its digest" in status.show(
        status.run(config(tmp_path), options(verify=True))
    )
    path = Path(layout.segment("s0")) / ROWS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=str(path)):
        status.run(config(tmp_path), options(verify=True))
    assert "every file" not in status.show(status.run(config(tmp_path), options(verify=False)))
