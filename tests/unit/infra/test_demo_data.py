"""The demo's selection and queries agree with each other and with the real file."""

import gzip
import io
import re
import tomllib
from pathlib import Path

import pytest

from actors.fetch.embedded_wheels import embedded_folder
from retrieval.articles.article import Rejects, article_batches
from retrieval.evaluate.judgments import mesh_topics
from retrieval.ingest.pubmed.stream import read_pubmed_xml

DEMO = Path(__file__).parents[3] / "infra" / "demo"
LAST_PMID_1970S = 500_000  # pubmed20n0014 ends far below, pubmed21n1298 starts far above


def selected_pmids() -> list[int]:
    lines = (DEMO / "selection.txt").read_text().splitlines()
    return [int(line) for line in lines if not line.startswith("#")]


def test_selection_is_two_thousand_ascending_pmids_half_of_each_file() -> None:
    pmids = selected_pmids()
    assert len(pmids) == 2000
    assert pmids == sorted(set(pmids))
    assert sum(pmid < LAST_PMID_1970S for pmid in pmids) == 1000


def test_every_query_has_relevant_articles_in_the_selection() -> None:
    selection = set(selected_pmids())
    queries = tomllib.loads((DEMO / "queries.toml").read_text())["query"]
    assert len({query["text"] for query in queries}) == 5
    for query in queries:
        relevant = query["relevant"]
        assert len(relevant) >= 5
        assert relevant == sorted(set(relevant))
        assert set(relevant) <= selection, query["text"]
        assert len({pmid < LAST_PMID_1970S for pmid in relevant}) == 1, query["text"]


@pytest.mark.whole
def test_fifty_mesh_topics_have_ten_articles_of_the_selection() -> None:
    records = re.compile(rb"  <PubmedArticle>.*?</PubmedArticle>\n", re.DOTALL)
    own_pmid = re.compile(rb'<PMID Version="\d+">(\d+)<')
    wanted = {str(pmid).encode() for pmid in selected_pmids()}
    cache = Path("~/.cache/pubray").expanduser()
    with gzip.open(embedded_folder("pubmed", cache) / "pubmed20n0014.xml.gz") as file:
        chosen = [r for r in records.findall(file.read()) if (m := own_pmid.search(r)) and m[1] in wanted]
    xml = io.BytesIO(b"<PubmedArticleSet>" + b"".join(chosen) + b"</PubmedArticleSet>")
    batches = article_batches(read_pubmed_xml(xml, "selection", Rejects()))
    headings = [(str(row["pmid"]), row["mesh"]) for batch in batches for row in batch.to_pylist()]
    assert len(headings) == 1000
    assert len(mesh_topics(headings, 1000, seed=0).queries) >= 50
