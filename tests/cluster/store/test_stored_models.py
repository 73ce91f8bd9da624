"""A night in a bucket whose workers have no hub, no folder of models and nothing in their caches."""

import shutil
from pathlib import Path

import pytest
import ray

from actors.fetch import stored_models
from actors.store.stores import open_store
from jobs import embed, gc, nightly, search
from jobs.common.config import load_config
from jobs.common.store import served_version
from jobs.steps.index import commit
from schemas.config import Config
from schemas.layout import Layout
from tests.support.models import tiny
from tests.support.pubmed.pubmed_xml import Record, document

ARTICLES = 20
THIS_PROCESS = Path("/proc/self/cwd")
"""Another folder for each process: workers do not move with their driver."""
SETTINGS = [
    "store=s3://b-1/models",
    "selection.rule=all",
    "index.nlist=2",
    "index.recall_floor=0",
    "index.recall_queries=2",
    "index.num_shards=1",
    "rerank.kind=maxsim",
]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """With a model that is named as one of a hub; the driver has it in its folder of models."""
    tiny.encoder(tmp_path / "models" / "owner" / "tiny")
    monkeypatch.chdir(tmp_path)
    config = load_config(None, SETTINGS, {"PUBRAY_MODELS": str(THIS_PROCESS / "models")})
    tower = {"model": "owner/tiny", "revision": "c0ffee", "max_length": tiny.MAX_LENGTH}
    encoder = {"query": tower, "article": tower, "dimension": tiny.DIMENSION}
    return config.with_values(encoder=encoder, cache=str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def caches_of_their_own(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the driver has brought is not in the cache of the workers, though they are on this machine."""

    def brought(*given: stored_models.Model | Config) -> Config:
        found = stored_models.brought(*given)  # type: ignore[arg-type]
        shutil.rmtree(config.cache, ignore_errors=True)
        return found

    for module in (embed, commit):
        monkeypatch.setattr(module, "brought", brought)


def write_night(folder: Path, number: int, first: int) -> None:
    folder.mkdir(exist_ok=True)
    records = (
        Record(f"<ArticleTitle>statin dose {pmid}</ArticleTitle>", pmid=f"<PMID>{pmid}</PMID>")
        for pmid in range(first, first + ARTICLES)
    )
    (folder / f"pubmed26n{number:04}.xml").write_bytes(document(*records))


@pytest.mark.whole
def test_nights_and_a_search_need_the_store_alone(cluster: None, config: Config, tmp_path: Path) -> None:
    folder = str(config.models)
    assert Path(folder).exists()
    assert not ray.get(ray.remote(lambda: Path(folder).exists()).remote())
    for night in (1, 2):
        write_night(tmp_path / "source", night, night * 100)
        report = nightly.night(config, source=str(tmp_path / "source"))
        assert report.embed.encoded == ARTICLES
    store = open_store(config)
    version = served_version(store)
    assert version.articles == 2 * ARTICLES
    assert version.models.keys() == {"owner/tiny@c0ffee"}
    ephemeral = config.with_values(models=None, cache=str(tmp_path / "driver of tomorrow"))
    write_night(tmp_path / "source", 3, 300)
    assert nightly.night(ephemeral, source=str(tmp_path / "source")).embed.encoded == ARTICLES
    gc.run(config, keep=0, grace=0)
    assert {*store.names(Layout.model.folder)} == {*version.models.values()}
    elsewhere = config.with_values(models=None, cache=str(tmp_path / "elsewhere"))
    assert len(search.run(elsewhere, query="statin dose", k=5).hits) == 5
