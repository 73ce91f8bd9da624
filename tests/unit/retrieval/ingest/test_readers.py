import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.articles.article import Rejects
from retrieval.ingest.readers import READERS, open_source
from schemas.errors import InputError

XML = (
    b"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7</PMID><Article><ArticleTitle>One</ArticleTitle>"
    b"</Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"
)
BEIR = json.dumps({"_id": "7", "title": "One", "text": ""}).encode()


def titles(path: Path) -> list[str]:
    with open_source(path, Rejects()) as batches:
        return [title for batch in batches for title in batch["title"].to_pylist()]


@pytest.mark.parametrize(("name", "content"), [("pubmed20n0001.xml", XML), ("corpus.jsonl", BEIR)])
def test_a_source_is_read_by_its_name_plain_and_zipped(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    assert titles(tmp_path / name) == titles(tmp_path / f"{name}.gz") == ["One"]


def test_parquet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "articles.parquet"
    pq.write_table(pa.table({"pmid": pa.array([7]), "title": ["One"], "abstract": [""]}), path)
    assert titles(path) == ["One"]


def test_a_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pubmed20n0001.xml.gz"
    path.write_bytes(gzip.compress(XML[:50]) + gzip.compress(XML[50:]))
    assert titles(path) == ["One"]


@pytest.mark.parametrize("content", [gzip.compress(XML)[:-12], XML], ids=["cut", "not zipped"])
@pytest.mark.parametrize("name", ["pubmed20n0001.xml.gz", "corpus.jsonl.gz"])
def test_what_is_no_whole_gzip_is_refused_by_name(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^{name} is not whole gzip: .*, after \w+ 0; download it again$"):
        titles(tmp_path / name)


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"x")
    with pytest.raises(InputError, match=r"notes\.txt"):
        titles(tmp_path / "notes.txt")


def test_every_kind_has_its_reader() -> None:
    assert sorted(READERS) == ["beir", "parquet", "pubmed"]
