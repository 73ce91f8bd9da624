"""What is refused, and what is there already, before anything is built."""

from pathlib import Path

import pytest

from actors.store.local_store import LocalStore
from jobs import index
from jobs.steps.index.version_build import Build
from schemas.article import Article
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.manifest import Current
from schemas.report import IndexReport
from tests.support.reports import filled
from tests.support.stores.hand_made_version import write_version
from tests.support.stores.made_store import MadeStore
from tests.support.stores.store_files import config, set_current


def test_a_store_without_articles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run pubray ingest"):
        index.run(config(tmp_path))


def test_a_version_that_is_there_is_told_and_not_built(tiny_encoder: Path, tmp_path: Path) -> None:
    store = MadeStore(tmp_path, tiny_encoder)
    store.publish([Article(1)])
    build = Build(store.config, full=False)
    objects: LocalStore = store.files
    of_build = {"id": "v9", "recipe": build.recipe, "rules": build.rules, "snapshot": build.snapshot.id}
    version = write_version(objects).model_copy(update=of_build)
    objects.path("versions").mkdir()
    objects.path(Layout.version("v9")).write_text(version.model_dump_json())
    set_current(objects, Current(version="v9"))
    report = index.run(store.config)
    assert (report.version, report.built, report.articles) == ("v9", False, 400)
    assert index.show(report).startswith("version v9: exists\n")


def test_a_version_that_was_built_is_not_served_yet() -> None:
    report = filled(IndexReport, version="v", built=True, advice="train anew")
    head, *rows = index.show(report).splitlines()
    assert head == "version v: built, not served yet: pubray promote"
    assert rows[-1].split() == ["advice", "train", "anew"]
