"""The demo's selection and queries agree with each other, whatever code reads them."""

import tomllib
from pathlib import Path

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
