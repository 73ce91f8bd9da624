"""Nights on Ray, from update files to answers: deltas, tombstones, rollback, compaction; what is refused."""

import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from jobs import compact, index, nightly, promote, rollback
from jobs.common.store import read_version, served_version
from jobs.steps.index.version_files import check_bytes
from retrieval.ingest.made_files import Night, write_night
from retrieval.rows.row_numbers import write_tombstones
from schemas.article import Article
from schemas.config import Config
from schemas.errors import CheckError, IntegrityError, StoreError
from schemas.filters import EVERYTHING
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import Lookup, Match
from schemas.report import PromoteReport
from tests.support.models import tiny
from tests.support.pubmed.made_night import made_night
from tests.support.stores.embedded_stores import alive_vectors, copied_store
from tests.support.stores.made_store import MadeStore, rebuilt, vectors_of

SETTINGS = ["index.nlist=16", "index.nprobe=5", "index.num_shards=2", "index.recall_queries=10", "index.recall_floor=0"]
ARTICLES = [Article(pmid, title=f"title {pmid}", journal="First") for pmid in range(1, 41)]


def night(config: Config, source: Path, real: Path, number: int, night: Night) -> IndexVersion:
    """Publish an update file, and run a night."""
    write_night(real, source, f"pubmed26n{number:04}.xml.gz", night)
    report = nightly.night(config, source=str(source))
    version = served_version(LocalStore(config.store))
    assert (report.version, report.withdrawn) == (version.id, False)
    assert list(report.seconds) == ["ingest", "embed", "index", "promote", "compact"]
    return version


def answers(config: Config, version: IndexVersion) -> list[list[Match]]:
    """What the version answers to the vectors of some of its articles."""
    vectors = alive_vectors(config)
    queries = np.stack([vectors[pmid] for pmid in sorted(vectors)[::7]]).astype(np.float32)
    return IndexSearcher(LocalStore(config.store), version).matches(
        [Lookup(query, k, EVERYTHING) for query in queries for k in (10, 400)]
    )


@pytest.mark.whole
def test_real_nights_answer_as_a_rebuild_does(
    real: Path, embedded: Path, tmp_path: Path, unselected: list[int]
) -> None:
    source = Path(shutil.copytree(embedded / "source", tmp_path / "source"))
    config = copied_store(embedded / "store", tmp_path, *SETTINGS, "index.max_dead=0.5")
    promote.run(config, version=index.run(config).version)
    base, before = served_version(LocalStore(config.store)), list(alive_vectors(config))
    new = {40_000_000 + i: pmid for i, pmid in enumerate(before[60:63])}
    kinds = [*before[:4], *unselected[:2]], [*before[10:15], unselected[3]], before[20:22], before[30:32], before[40:45]
    first = night(config, source, real, 4, made_night(date(2026, 11, 1), new, *kinds, deleted=before[50:53]))
    assert first.segments[: len(base.segments)] == base.segments
    # not those that came as they were, or are not selected
    assert sum(s.rows for s in first.segments[len(base.segments) :]) == 3 + 4 + 5 + 2 + 2
    assert sum(t.rows for t in first.tombstones.values()) == 4 + 5 + 2 + 2 + 3
    assert first.articles == len(before) + 3 - 3
    assert first.checks.removed_share == 3 / len(before)

    texts, metadata, back = before[2:6], before[4:12], before[50:52]
    again = made_night(date(2026, 11, 2), {40_000_009: before[1]}, texts, metadata, reissued=back, deleted=before[:1])
    second = night(config, source, real, 5, again)
    assert second.parent == first.id
    full = rebuilt(config, second)
    expected = answers(config, full)
    assert answers(config, second) == expected
    assert {match.article.pmid for ranking in expected for match in ranking} == set(alive_vectors(config))
    strict = config.with_values(index={"max_dead": 0.05})
    report = nightly.night(strict, source=str(source))
    assert report.compact
    assert report.compact.reason == "20.8% dead rows, more than index.max_dead = 5.0%"
    merged = served_version(LocalStore(config.store))
    assert merged.id == report.compact.version != second.id
    assert answers(config, merged) == expected
    assert [s.files for s in merged.segments] == [s.files for s in full.segments]
    assert merged.tombstones == {}


@pytest.fixture(scope="module")
def made(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be copied: a folder with a `model`, and a `store` of which the first articles are served."""
    folder = tmp_path_factory.mktemp("made")
    store = MadeStore(folder, tiny.encoder(folder / "model"), "index.nlist=4")
    store.publish(ARTICLES)
    store.promoted(store.index())
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> MadeStore:
    shutil.copytree(made / "store", tmp_path / "store")
    return MadeStore(tmp_path, made / "model", "index.nlist=4")


def revised(*pmids: int) -> list[Article]:
    return [Article(pmid, title=f"title {pmid}", journal="Second") for pmid in pmids]


def deleted(*pmids: int) -> list[Article]:
    return [Article(pmid, deleted=True) for pmid in pmids]


def found(store: MadeStore, version: IndexVersion) -> dict[int, str]:
    """The journals of the articles that are found, by PMID."""
    searcher = IndexSearcher(store.files, version)
    [matches] = searcher.matches([Lookup(vectors_of([1])[0].astype(np.float32), 100)])
    return {match.article.pmid: match.article.journal for match in matches}


def test_a_night_of_deletions_alone_adds_no_segment(store: MadeStore) -> None:
    base = served_version(store.files)
    store.publish(deleted(3, 4))
    version = store.promoted(store.index())
    assert version.segments == base.segments
    assert set(found(store, version)) == set(range(1, 41)) - {3, 4}


def test_a_night_without_news_makes_no_version(store: MadeStore) -> None:
    base = served_version(store.files)
    assert index.run(store.config).built is False
    store.publish(ARTICLES[:3])
    version = store.promoted(store.index())
    assert (version.segments, version.tombstones, version.articles) == (base.segments, {}, 40)
    assert version.snapshot != base.snapshot


def test_nights_go_on_from_the_version_rolled_back_to(store: MadeStore) -> None:
    base = served_version(store.files)
    store.publish([*revised(1, 2), *deleted(5)])
    bad = store.promoted(store.index())
    rollback.run(store.config)
    report = index.run(store.config)
    assert (report.version, report.built) == (bad.id, False)
    assert promote.run(store.config) == PromoteReport(version=base.id, previous=base.id, promoted=False)
    store.publish([*ARTICLES[4:5], *revised(7)])
    good = store.promoted(store.index())
    assert good.parent == base.id
    assert bad.segments[-1] not in good.segments
    assert found(store, good) == {pmid: "Second" if pmid in (1, 2, 7) else "First" for pmid in range(1, 41)}


def test_a_version_that_lacks_too_much_is_kept_and_promoted_by_name_alone(store: MadeStore) -> None:
    base = served_version(store.files)
    store.publish([*deleted(1, 2, 3), *revised(4)])
    for built in (True, False):  # a rerun finds it
        report = index.run(store.config.with_values(index={"max_removed": 0.07}))
        assert report.built == built
        code, why = report.trouble or (0, "")
        assert code == 5
        assert f"lacks 7.5% of the articles of {base.id}, the limit is 7.0%; if they are to go, run again with" in why
    with pytest.raises(CheckError, match=r"the limit is 5\.0%.* It is promoted by name alone"):
        promote.run(store.config)
    assert served_version(store.files) == base
    allowed = index.run(store.config, allow_removed=True)
    assert (allowed.version, allowed.built, allowed.trouble) == (report.version, False, None)
    assert promote.run(store.config, version=report.version).promoted


def test_canaries_are_asked_and_what_must_be_found_is_a_gate(store: MadeStore, tmp_path: Path) -> None:
    (tmp_path / "canaries.toml").write_text('[[query]]\ntext = "statin"\nmust_find = [7]\n')
    asked = store.config.with_values(index={"canaries": str(tmp_path / "canaries.toml"), "canary_floor": 0})
    store.publish(revised(1, 2))
    first = read_version(store.files, index.run(asked).version)
    [answer] = first.checks.canaries
    assert (answer.text, len(answer.found), first.checks.canary_change) == ("statin", 10, None)
    promote.run(asked)
    missing = next(pmid for pmid in range(1, 41) if pmid not in answer.found)
    (tmp_path / "canaries.toml").write_text(f'[[query]]\ntext = "statin"\nmust_find = [{missing}, 99]\n')
    store.publish([*revised(3, 4), *deleted(answer.found[0])])
    report = index.run(asked.with_values(index={"canary_floor": 1}))
    assert report.trouble
    assert f"must find, PMID {missing} by 'statin' among them" in report.trouble[1]
    assert read_version(store.files, report.version).checks.canary_change == 0


def test_a_night_that_deletes_everything_is_refused(store: MadeStore) -> None:
    base = served_version(store.files)
    store.publish(deleted(*range(1, 41)))
    for full in (False, True):
        with pytest.raises(CheckError, match="no article is alive and selected, so there is no version; CURRENT is"):
            index.run(store.config, full=full, allow_removed=True)
    assert served_version(store.files) == base
    store.publish(ARTICLES[:2])  # and the nights after it go on
    assert index.run(store.config, allow_removed=True).articles == 2


def test_a_corpus_without_titles_is_indexed(made: Path, cluster: None, tmp_path: Path) -> None:
    store = MadeStore(tmp_path, made / "model", "index.nlist=4", "index.recall_queries=5")
    store.publish([Article(pmid, abstract=f"About {pmid}.") for pmid in range(1, 41)])
    assert (version := store.index()).articles == 40
    assert version.checks.recall.queries == 5


@pytest.mark.parametrize("damage", ["rows.f16", "manifest", "quantizer"])
def test_a_damaged_current_is_replaced_by_a_full_build_that_touches_none_of_it(damage: str, store: MadeStore) -> None:
    base, objects = served_version(store.files), store.files
    paths = {
        "rows.f16": objects.path(f"{Layout.segment(base.segments[0].id)}/" + "rows.f16"),
        "manifest": objects.path(Layout.version(base.id)),
        "quantizer": objects.path(Layout.quantizer(base.quantizer)),
    }
    path = paths[damage]
    content = path.read_bytes()
    path.write_bytes(content[:-9] + b"damaged..")
    # Of the quantizer the name says what it must be, so it is mended where it lies.
    mapped = [paths["rows.f16"].parent, paths["manifest"].parent]
    before = {file: file.read_bytes() for folder in mapped for file in folder.iterdir()}
    if damage == "manifest":
        with pytest.raises(IntegrityError, match=rf"{path}.* build beside it with pubray index --full$"):
            index.run(store.config)
    report = index.run(store.config, full=True)
    assert (report.built, report.articles) == (True, 40)
    assert {file: file.read_bytes() for file in before} == before
    version = store.promoted(store.version(report))
    check_bytes(objects, version)
    assert found(store, version).keys() == set(range(1, 41))
    assert index.run(store.config).version == version.id


def test_a_full_build_is_there_until_it_is_served_or_damaged(store: MadeStore) -> None:
    first = index.run(store.config, full=True)
    assert (index.run(store.config, full=True).version, first.built) == (first.version, True)
    path = store.files.path(f"{Layout.segment(store.version(first).segments[0].id)}/" + "rows.f16")
    path.write_bytes(path.read_bytes()[:-9] + b"damaged..")
    second = index.run(store.config, full=True)
    assert (second.built, second.version != first.version) == (True, True)


def test_what_another_encoder_is_configured_for_is_not_compacted(store: MadeStore) -> None:
    store.publish(revised(1))
    store.promoted(store.index())
    other = store.config.with_values(encoder={"pooling": "mean" if store.config.encoder.pooling != "mean" else "cls"})
    with pytest.raises(StoreError, match="the configured one is"):
        compact.run(other, force=True)


def test_compaction_is_done_when_due_or_asked_for(store: MadeStore) -> None:
    base = served_version(store.files)
    assert compact.run(store.config, force=True).reason == "nothing to merge"
    store.publish(revised(1))
    version = store.promoted(store.index())
    assert compact.run(store.config).reason == "not due"
    report = compact.run(store.config, force=True)
    assert (report.compacted, report.reason) == (True, "asked for")
    assert compact.run(store.config, force=True).reason == "exists"
    compacted = store.promoted(store.version(report))
    assert (len(compacted.segments), compacted.tombstones) == (len(base.segments), {})
    assert found(store, compacted) == found(store, version)
    few = store.config.with_values(index={"max_deltas": 1})
    for pmid, reason in ((2, "not due"), (3, "2 deltas, more than index.max_deltas = 1")):
        store.publish(revised(pmid))
        version = store.promoted(store.index())
        assert compact.run(few).reason == reason


def test_a_store_that_lost_articles_before_it_could_tell_is_not_built_on(store: MadeStore) -> None:
    base, objects = served_version(store.files), store.files
    [first, *_] = base.segments
    lost = {first.id: write_tombstones(objects, np.arange(3))}
    older = base.model_dump(mode="json", exclude={"population"}) | {
        "tombstones": {name: one.model_dump() for name, one in lost.items()},
        "articles": base.articles - 3,
    }
    objects.path(Layout.version(base.id)).write_text(json.dumps(older))
    store.publish(revised(1))
    for job in (lambda: index.run(store.config), lambda: compact.run(store.config, force=True)):
        with pytest.raises(CheckError, match=r"has 37 articles, and not the 40 .*: an earlier pubray lost some"):
            job()
    assert index.run(store.config, full=True).articles == 40


def test_a_store_of_before_is_built_on_where_it_has_all(store: MadeStore) -> None:
    base, objects = served_version(store.files), store.files
    objects.path(Layout.version(base.id)).write_text(json.dumps(base.model_dump(mode="json", exclude={"population"})))
    store.publish(revised(1))
    assert store.index().population == base.population


def test_a_night_without_news_does_not_undo_two_rollbacks(store: MadeStore) -> None:
    base = served_version(store.files)
    for pmid in (1, 2):
        store.publish(revised(pmid))
        store.promoted(store.index())
    for _ in range(2):
        rollback.run(store.config)
    built = index.run(store.config)
    assert built.version in promote.withdrawn(store.files)
    assert promote.run(store.config) == PromoteReport(version=base.id, previous=base.id, promoted=False)
