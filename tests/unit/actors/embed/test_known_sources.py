from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from actors.embed.known_sources import COLUMNS, KnownSources, compare_sample, read_probe
from actors.embed.towers import ArticleTower
from actors.store.local_store import LocalStore
from retrieval.articles.article import article_batch
from retrieval.embed.known.known_vectors import MIN_COSINE
from retrieval.embed.vector_parts import row_ranges, write_vector_part
from schemas.arrays import Rows
from schemas.article import Article
from schemas.config import Config, EngineConfig
from schemas.errors import StoreError
from schemas.layout import Layout
from schemas.protocols import ArticleText
from schemas.snapshot import PartRef
from schemas.vector import EmbedCounts, EmbedPlan
from tests.support.models import tiny
from tests.support.stores.published_chunk_files import DIMENSION, vector, write_chunk
from tests.support.stores.store_files import add_part, add_snapshot

SOURCE = "pubmed26n0001"
PLAN = EmbedPlan("now", "all", "fingerprint")


def article(pmid: int, text: str = "", doc_id: str | None = None) -> Article:
    return Article(pmid, doc_id=doc_id, title=f"Title of {pmid}", abstract=f"Abstract of {pmid}{text}")


def asked(*articles: Article) -> pa.Table:
    return pa.Table.from_batches([article_batch(articles)]).select(COLUMNS)


def configured(folder: Path, model: Path, dimension: int) -> Config:
    spec = tiny.spec(model).model_copy(update={"dimension": dimension})
    engine = EngineConfig(kind="torch", precision="float32")
    return Config(store=str(folder / "store"), cache="unused", encoder=spec, engine=engine)


def embed_earlier(config: Config, vectors: Rows, *articles: Article) -> None:
    """Make a snapshot `earlier` of articles, and their vector part."""
    store = LocalStore(config.store)
    snapshot = add_snapshot(store, [add_part(store, SOURCE, *articles)])
    store.path(snapshot.key).rename(store.path(Layout.snapshot("earlier")))
    [rows] = row_ranges(snapshot.info.parts, config.embed.rows_per_part)
    texts = asked(*articles)
    pmids, hashes = texts["pmid"].to_numpy(), texts["text_hash"].to_numpy()
    with store.incoming(Layout.vector_part(PLAN.fingerprint, PLAN.selection, rows.name)) as path:
        write_vector_part(path, pmids, hashes, vectors, np.full(len(texts), True))


def publish(folder: Path, *articles: Article) -> str:
    """Publish vectors of articles below PMID 1,000,000."""
    write_chunk(folder, 0, [a.pmid for a in articles], {a.pmid: (a.title, a.abstract) for a in articles})
    return str(folder)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path, Path("unused"), DIMENSION)


def test_the_earlier_vectors_come_first_and_published_ones_fill_the_gaps(config: Config, tmp_path: Path) -> None:
    embed_earlier(config, np.full((2, DIMENSION), 9, np.float16), article(11), article(12))
    published = publish(tmp_path / "chunks", *map(article, (11, 12, 13, 14, 15)))
    sources = KnownSources(config, PLAN._replace(earlier="earlier", published=published))
    texts = asked(article(15), article(16), article(12, " anew"), article(11), article(14, " anew"), article(13))
    known, counts = sources.find(texts)
    assert known.rows.tolist() == [0, 3, 5]
    assert known.vectors.dtype == np.float16
    assert known.vectors.tolist() == [vector(15).tolist(), [9] * DIMENSION, vector(13).tolist()]
    # 12 and 14 have another text than before, and 16 is in neither.
    assert counts == EmbedCounts(copied=1, imported=2, stale=2, unpublished=1)


def test_an_article_of_another_corpus_is_not_looked_for_among_published_ones(config: Config, tmp_path: Path) -> None:
    sources = KnownSources(config, PLAN._replace(published=publish(tmp_path / "chunks", article(11), article(12))))
    known, counts = sources.find(asked(article(11, doc_id="doc-a"), article(12)))
    assert (known.rows.tolist(), counts) == ([1], EmbedCounts(imported=1))


def test_published_vectors_whose_texts_are_not_there_are_counted(config: Config, tmp_path: Path) -> None:
    write_chunk(tmp_path / "chunks", 0, [11, 12])
    _, counts = KnownSources(config, PLAN._replace(published=str(tmp_path / "chunks"))).find(asked(article(11)))
    assert counts == EmbedCounts(imported=1, unverified=1)


@pytest.mark.parametrize("count", [0, 2])
def test_without_sources_or_articles_nothing_is_known(count: int, config: Config, tmp_path: Path) -> None:
    sources = [KnownSources(config, PLAN)]
    if not count:
        embed_earlier(config, np.ones((1, DIMENSION), np.float16), article(11))
        published = publish(tmp_path / "chunks", article(11))
        sources += [KnownSources(config, PLAN._replace(earlier="earlier", published=published))]
    for one in sources:
        known, counts = one.find(asked(*map(article, range(count))))
        assert (known.rows.tolist(), known.vectors.shape, counts) == ([], (0, DIMENSION), EmbedCounts())


def test_some_articles_that_have_a_vector_are_encoded_again(config: Config) -> None:
    assert read_probe(config, PLAN) is None
    embed_earlier(config, np.arange(2 * DIMENSION, dtype=np.float16).reshape(2, DIMENSION), article(11), article(12))
    probe = read_probe(config, PLAN._replace(earlier="earlier"))
    assert probe
    assert probe.texts == [ArticleText(a.title, a.abstract) for a in (article(11), article(12))]
    assert probe.vectors.tolist() == np.arange(2 * DIMENSION).reshape(2, DIMENSION).tolist()


def test_an_article_of_another_text_than_its_vector_is_none_of_them(config: Config) -> None:
    embed_earlier(config, np.ones((2, DIMENSION), np.float16), article(11), article(12))
    add_part(LocalStore(config.store), SOURCE, article(11, " anew"), article(12))
    probe = read_probe(config, PLAN._replace(earlier="earlier"))
    assert probe
    assert probe.texts == [ArticleText(article(12).title, article(12).abstract)]


ARTICLES = [
    *(Article(pmid, title="Statin trial", abstract=f"pain in mice {'dose ' * (pmid - 20)}") for pmid in range(20, 28)),
    Article(30, title="Hay fever", abstract=""),
    Article(31, doc_id="doc-a", title="Asthma", abstract="dose of asthma"),
]


@pytest.fixture
def compared(tmp_path: Path, tiny_encoder: Path) -> tuple[Config, str]:
    """A store, and published vectors, that are the encoder's own but where they are not to be compared."""
    config = configured(tmp_path, tiny_encoder, tiny.DIMENSION)
    add_part(LocalStore(config.store), SOURCE, *ARTICLES)
    published = publish(tmp_path / "chunks", *ARTICLES)
    vectors = ArticleTower(config, 1).encode([ArticleText(a.title, a.abstract) for a in ARTICLES])
    vectors[-2:] *= -1
    np.save(tmp_path / "chunks" / "embeds_chunk_0.npy", vectors)
    return config, published


def test_a_sample_of_published_vectors_is_compared_with_the_encoders_own(compared: tuple[Config, str]) -> None:
    config, published = compared
    ranges = row_ranges([PartRef(SOURCE, "0", len(ARTICLES), 0)], 5)
    everything = compare_sample(config, published, ranges, 100)
    assert (everything.pairs, everything.below) == (8, 0)
    assert everything.min_cosine > 0.9999
    assert compare_sample(config, published, ranges, 3).pairs == 4  # two of each range
    other = np.load(f"{published}/embeds_chunk_0.npy")
    other[2] = np.roll(other[2], 1)
    np.save(f"{published}/embeds_chunk_0.npy", other)
    found = compare_sample(config, published, ranges, 100)
    assert (found.pairs, found.below) == (8, 1)
    assert found.min_cosine < MIN_COSINE


def test_where_no_sampled_article_is_published_nothing_can_be_said(compared: tuple[Config, str]) -> None:
    config, published = compared
    ranges = row_ranges([PartRef(SOURCE, "0", len(ARTICLES), 0)], 8)[1:]
    with pytest.raises(StoreError, match=r"^no sampled article has a published vector; check the folder that --imp"):
        compare_sample(config, published, ranges, 100)
