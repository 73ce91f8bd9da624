"""Where the demo's changed articles are found, and which versions its nights made."""

import asyncio
from pathlib import Path

from jobs.steps.demo.demo_nights import DELETED, NIGHTS, Search, _found, ancestors, show
from retrieval.files.atomic import write_bytes
from schemas.layout import Layout
from tests.support.service.seams import VERSION, Shelf, joined


def test_an_article_is_found_by_its_rank_or_not_at_all() -> None:
    service = joined(Shelf([3, DELETED, 2]), None)
    assert asyncio.run(_found(service, Search("deleted", DELETED, "some title"))) == f"rank 2: Title {DELETED}"
    assert asyncio.run(_found(service, Search("deleted", 4, "some title"))) == "not found"


def test_versions_that_build_on_one_another_are_the_oldest_first(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    other = VERSION.model_copy(update={"id": "other", "recipe": "another"})
    first, second, third = (
        VERSION.model_copy(update={"id": name, "parent": parent})
        for name, parent in (("a", "other"), ("b", "a"), ("c", "b"))
    )
    for version in (other, first, second, third):
        write_bytes(layout.version(version.id), version.model_dump_json().encode())
    assert ancestors(layout, third) == [first, second, third]
    assert ancestors(layout, other) == [other]


def test_there_is_a_column_for_each_night() -> None:
    shown = show([["deleted", "7", "rank 1: x", "rank 1: x", "not found"]])
    assert all(night in shown.splitlines()[0] for night in NIGHTS)
