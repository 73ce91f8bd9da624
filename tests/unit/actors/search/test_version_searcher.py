import asyncio
from dataclasses import dataclass

import numpy as np
import pytest

from actors.search.index_searcher import IndexSearcher
from actors.search.version_searcher import VersionSearcher
from schemas.errors import InputError, IntegrityError, NotReadyError, PubrayError
from schemas.filters import Condition, Wanted
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleKey, Lookup
from tests.support.stores import corpus
from tests.support.stores.hand_made_version import write_version

QUERIES = corpus.queries(1, 12)


@dataclass
class Current:
    """What CURRENT names."""

    version: IndexVersion

    def __call__(self) -> IndexVersion:
        return self.version


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return Layout(str(tmp_path_factory.mktemp("versions")))


@pytest.fixture(scope="module")
def versions(layout: Layout) -> list[IndexVersion]:
    built = write_version(layout, nprobe=8)
    return [built.model_copy(update={"id": f"v{n}", "nprobe": n}) for n in (1, 2, 3, 8)]


def lookups(*versions: IndexVersion) -> list[Lookup]:
    return [Lookup(QUERIES[i % len(QUERIES)], 5, version=version.id) for i, version in enumerate(versions)]


def test_each_lookup_is_answered_from_the_version_that_it_names(layout: Layout, versions: list[IndexVersion]) -> None:
    first, second = versions[:2]
    current = Current(first)
    searcher = VersionSearcher(layout, first, current)
    current.version = second
    searcher._follower.look()
    asked = lookups(first, second, second, first)
    expected = [IndexSearcher(layout, first if one.version == "v1" else second).matches([one])[0] for one in asked]
    assert asyncio.run(searcher.search(asked)) == expected
    pmid = str(expected[0][0].article.pmid)
    stored = asyncio.run(searcher.stored([ArticleKey(pmid, "v1"), ArticleKey("0", "v2"), ArticleKey(pmid, "v2")]))
    assert [one and str(one.article.pmid) for one in stored] == [pmid, None, pmid]


def test_two_versions_are_kept_and_a_rollback_needs_no_loading(layout: Layout, versions: list[IndexVersion]) -> None:
    current = Current(versions[0])
    searcher = VersionSearcher(layout, versions[0], current)
    for version in versions[1:3]:
        current.version = version
        searcher._follower.look()
    kept = dict(searcher._opened)
    assert [*kept] == ["v2", "v3"]
    with pytest.raises(NotReadyError, match="version v1 is not loaded: not yet"):
        asyncio.run(searcher.search(lookups(versions[0])))
    current.version = versions[1]
    searcher._follower.look()
    assert [*searcher._opened] == ["v3", "v2"]
    assert searcher._opened["v2"] is kept["v2"]


def test_a_version_that_cannot_be_loaded_is_named_without_the_stores_place(
    layout: Layout, versions: list[IndexVersion]
) -> None:
    current = Current(versions[0])
    searcher = VersionSearcher(layout, versions[0], current)
    segment = versions[1].segments[0]
    gone = segment.model_copy(update={"id": "gone"})
    current.version = versions[1].model_copy(update={"segments": (gone,)})
    searcher._follower.look()
    with pytest.raises(NotReadyError) as error:
        asyncio.run(searcher.search(lookups(versions[1])))
    assert "segments/gone/" in str(error.value)
    assert layout.root not in str(error.value)
    assert len(asyncio.run(searcher.search(lookups(versions[0])))[0]) == 5


def test_a_replica_that_starts_while_current_is_broken_serves_the_version_that_it_was_given(
    layout: Layout, versions: list[IndexVersion]
) -> None:
    def broken() -> IndexVersion:
        raise PubrayError("CURRENT is broken")

    assert [*VersionSearcher(layout, versions[0], broken)._opened] == ["v1"]
    gone = versions[0].segments[0].model_copy(update={"id": "gone"})
    with pytest.raises(IntegrityError):
        VersionSearcher(layout, versions[0].model_copy(update={"segments": (gone,)}), broken)


def test_a_refused_filter_is_refused(layout: Layout, versions: list[IndexVersion]) -> None:
    searcher = VersionSearcher(layout, versions[0], Current(versions[0]))
    strange = Wanted((Condition(field="mesh", op="=", value="Hearth"),))
    with pytest.raises(InputError, match="Hearth"):
        asyncio.run(searcher.search([Lookup(np.asarray(QUERIES[0]), 5, strange, version="v1")]))
