"""Design invariant 1: after any nights, rollbacks and compactions the answers are those of a rebuild, and of a scan."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.search.index_searcher import IndexSearcher
from jobs import compact, rollback
from jobs.common.store import served_version
from retrieval.articles.article import text_hash
from retrieval.evaluate.truth import read_truth
from retrieval.index.exact import best_first, inner_products
from schemas.article import Article
from schemas.filter_text import parse_filter
from schemas.filters import EVERYTHING, Condition, Wanted
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup, Match
from tests.support.models import tiny
from tests.support.stores.made_store import MadeStore, rebuilt, vectors_of

PMIDS = 30
BASE = [Article(pmid, title=f"base {pmid % 9}", year=1999) for pmid in range(1, PMIDS)]
QUERIES = vectors_of([1, 7, 8, 9]).astype(np.float32)
SETTINGS = ["index.nlist=4", "index.max_removed=1"]
Alive = dict[int, Article]


WANTED: dict[Wanted, Callable[[Article], bool]] = {
    EVERYTHING: lambda article: True,
    Wanted(): lambda article: not article.retracted,
    Wanted((Condition(field="year", op=">=", value=2000),), retracted=True): lambda article: article.year == 2005,
    Wanted(parse_filter("year=2005 and retracted=no or pmid in (3, 5, 999)"), retracted=True): lambda article: (
        (article.year == 2005 and not article.retracted) or article.pmid in (3, 5)
    ),
}
"""What is searched for, and which articles that are."""


def record(pmid: int, title: str, year: int, retracted: bool) -> Article:
    return Article(pmid, title=title, year=year, retracted=retracted)


def deletion(pmid: int) -> Article:
    return Article(pmid, deleted=True)


pmids = st.integers(1, PMIDS + 10)
titles = st.sampled_from(["base 1", "base 2", "new 1", "new 2"])
fields = st.tuples(pmids, titles, st.sampled_from([1999, 2005]), st.sampled_from([False, False, True]))
records = fields.map(lambda values: record(*values))
nights = st.lists(records | records | pmids.map(deletion), max_size=12)
steps = st.lists(st.one_of(nights, st.just("rollback"), st.just("compact")), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.encoder(tmp_path_factory.mktemp("tiny") / "model")


def replayed(alive: Alive, night: Sequence[Article]) -> Alive:
    after = dict(alive)
    for article in night:
        if article.deleted:
            after.pop(article.pmid, None)
        else:
            after[article.pmid] = article
    return after


def answers(store: MadeStore, version: IndexVersion, nprobe: int) -> list[list[Match]]:
    searcher = IndexSearcher(store.files, version.model_copy(update={"nprobe": nprobe}))
    return searcher.matches([Lookup(query, k, wanted) for wanted in WANTED for query in QUERIES for k in (5, 99)])


def assert_true(store: MadeStore, version: IndexVersion) -> None:
    """Recall was measured against what an exact search finds."""
    truth = read_truth(store.files, version.checks.truth)
    exact = IndexSearcher(store.files, version, exact=True).candidates(truth.queries, 99)
    for answer, found in zip(truth.answers(), exact, strict=True):
        assert answer.pmids.tolist() == found.pmids.tolist()


def scanned(alive: Alive) -> list[list[tuple[float, int, str, int | None]]]:
    """What a look at every article answers."""
    found = []
    for is_wanted in WANTED.values():
        pmids = np.array(sorted(pmid for pmid, article in alive.items() if is_wanted(article)), np.int64)
        rows = vectors_of([text_hash(alive[pmid].title, "") for pmid in pmids])
        for query in QUERIES:
            scores = inner_products(query, rows)
            for k in (5, 99):
                best = best_first(scores, pmids, k)
                articles = [alive[pmid] for pmid in pmids[best]]
                found.append([(float(s), a.pmid, a.title, a.year) for s, a in zip(scores[best], articles, strict=True)])
    return found


KNOWN: list[list[Article] | str] = [
    [
        record(3, "new 1", 2005, False),  # text and metadata
        record(4, "base 4", 2005, True),  # metadata alone: retracted
        record(PMIDS + 1, "new 2", 1999, False),
        deletion(5),
        deletion(PMIDS + 9),  # of no article
    ],
    [
        record(5, "base 5", 1999, False),  # as it was
        record(4, "base 4", 2005, False),
        record(6, "base 1", 2005, False),  # the text of another
        record(6, "new 2", 2005, True),  # the last one holds
        deletion(PMIDS + 1),
    ],
    "rollback",
    [record(7, "new 1", 2005, False), deletion(3)],  # on the night before that
    "compact",
    [],
    [record(3, "base 3", 1999, False), deletion(7), deletion(8)],
    "rollback",
    "compact",
    [record(9, "new 2", 2005, False)],
]
"""Every kind of step, and every kind of record in it; a night comes last, so that a rebuild has the same articles."""


def test_known_nights_answer_as_a_rebuild_and_as_a_scan(cluster: None, model: Path, tmp_path: Path) -> None:
    assert assert_answers(MadeStore(tmp_path, model, *SETTINGS), KNOWN)


@pytest.mark.whole
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_any_nights_answer_as_a_rebuild_and_as_a_scan(
    cluster: None, model: Path, steps: list[list[Article] | str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert_answers(MadeStore(tmp_path_factory.mktemp("nights"), model, *SETTINGS), steps)


def assert_answers(store: MadeStore, steps: list[list[Article] | str]) -> bool:
    """Do the steps; compare what is answered after each with a scan, and at last with a rebuild, if it can be."""
    store.publish(BASE)
    alive = {article.pmid: article for article in BASE}
    version = store.promoted(store.index())
    before = [(version, alive)]  # what a rollback leads to
    published = alive
    for step in steps:
        if isinstance(step, list):
            published = replayed(published, step)
            store.publish(step)
            before.append((store.promoted(store.index()), published))
        elif step == "rollback":
            if earlier := [one for one in before if one[1] is not alive]:  # what was compacted has the same rows
                rollback.run(store.config)
                before = earlier
        else:
            report = compact.run(store.config, force=True)
            if report.compacted:
                before.append((store.promoted(store.version(report)), before[-1][1]))
        version, alive = before[-1]
        assert served_version(store.files) == version
        assert version.articles == len(alive)
        got = [[(score, a.pmid, a.title, a.year) for score, a, _ in ms] for ms in answers(store, version, 4)]
        assert got == scanned(alive)
        assert_true(store, version)
    if alive != published:
        return False
    assert answers(store, rebuilt(store.config, version), 2) == answers(store, version, 2)
    return True
