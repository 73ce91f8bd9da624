"""Nights in a bucket of S3 are those in a folder."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actors.store.stores import open_store
from jobs import compact, gc, index, rollback, status
from jobs.common.store import read_current, served_version
from jobs.common.writer import writing
from jobs.steps.index.version_files import check_answers
from schemas.article import Article
from schemas.errors import WriterError
from schemas.manifest import IndexVersion
from tests.support.models import tiny
from tests.support.stores.made_store import MadeStore

SHA256 = 64
"""Characters of the names of what is small, and read as a whole."""
NIGHTS = [
    [Article(pmid, title=f"base {pmid % 7}", year=2000 + pmid % 9) for pmid in range(1, 31)],
    [Article(3, title="new"), Article(4, deleted=True), Article(40, title="added", year=2026)],
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.encoder(tmp_path_factory.mktemp("tiny") / "model")


def nights(store: MadeStore) -> Iterator[IndexVersion]:
    """What is served after the first night, the second, and when they are one."""
    for night in NIGHTS:
        store.publish(night)
        yield store.promoted(store.index())
    yield store.promoted(store.version(compact.run(store.config, force=True)))


def test_the_same_versions_of_the_same_bytes(cluster: None, model: Path, tmp_path: Path) -> None:
    settings = ["index.num_shards=2", "index.nlist=2"]
    stores = (
        MadeStore(tmp_path / "folder", model, *settings),
        MadeStore(tmp_path / "bucket", model, *settings, bucket="s3://b-1/nights"),
    )
    for folder, bucket in zip(*map(nights, stores), strict=True):
        assert bucket.model_copy(update={"created": folder.created}) == folder  # digests of all files among it
        assert_first_query_reads_little(stores[1], tmp_path / bucket.id)
    in_bucket = stores[1].config
    with writing(in_bucket, "nightly"), ThreadPoolExecutor(1) as pool:
        with pytest.raises(WriterError, match=r"pubray nightly, process .* is writing; wait until it has ended"):
            pool.submit(index.run, in_bucket).result()
        pool.submit(rollback.run, in_bucket).result()  # a person does not wait
    rollback.run(stores[0].config)
    assert served_version(stores[0].files).id == served_version(stores[1].files).id
    removed = [gc.run(store.config, keep=0, grace=0, unpromoted=0).removed for store in stores]
    folder_names, bucket_names = ({kind: of.names for kind, of in one.items()} for one in removed)
    assert folder_names == bucket_names
    assert {"versions", "segments", "truths"} <= bucket_names.keys()
    current = read_current(stores[1].files)
    assert current
    assert current.removing == ()
    status.run(in_bucket, verify=True)


def assert_first_query_reads_little(store: MadeStore, cache: Path) -> None:
    """On a node that has nothing yet: no vectors but by ranges, and no display data."""
    elsewhere = store.config.with_values(cache=str(cache))
    check_answers(open_store(elsewhere), served_version(store.files))
    cached = {path.name for path in (cache / "s3" / "objects").rglob("*") if path.is_file()}
    assert {name for name in cached if len(Path(name).stem) != SHA256} == {"lists.faiss", "pmids.i64"}
