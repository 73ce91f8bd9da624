"""The three stages of embedding one after the other, as Ray Data runs them, on one small article part."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actors.embed import embed_stages
from actors.embed.embed_stages import DRIFTED, EncodeRange, TokenizeRange, WriteRange
from actors.embed.known_sources import Probe
from actors.embed.towers import ArticleTower
from actors.engine import engines
from actors.store.local_store import LocalStore
from jobs.common.store import keep_selection
from retrieval.articles.snapshot import Snapshot, read_snapshot
from retrieval.embed.vector_parts import row_ranges, write_vector_part
from schemas.arrays import Rows
from schemas.article import Article
from schemas.config import Config, EmbedConfig, EngineConfig, SelectionConfig
from schemas.layout import Layout
from schemas.protocols import ArticleText
from schemas.vector import EmbedCounts, EmbedPlan, RowRange
from tests.support.models import tiny
from tests.support.stores.parquet_files import count_at, vectors_at
from tests.support.stores.store_files import add_part, add_snapshot

ARTICLES = [
    Article(11, title="Statin", abstract="muscle pain in mice"),
    Article(12, title="Hay fever", abstract=""),  # not selected by the rule `abstract`
    Article(13, title="Asthma", abstract="dose of asthma"),  # superseded below
    Article(14, deleted=True),
    Article(13, version=2, title="Asthma trial", abstract="dose in mice"),
    Article(15, title="Randomised", abstract=" ".join(tiny.WORDS * 4)),
]
ALIVE_WITH_ABSTRACT = [True, False, False, False, True, True]
SOURCE = "pubmed26n0001"
PLAN = EmbedPlan("now", "abstract", "fingerprint")


@pytest.fixture(autouse=True)
def short_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    """What encoding is compared with is measured for a moment."""
    monkeypatch.setattr(engines, "PEAK_SECONDS", 0.01)


@pytest.fixture
def config(tmp_path: Path, tiny_encoder: Path) -> Config:
    """A store with one article part and its snapshot `now`."""
    store = LocalStore(str(tmp_path))
    rename(store, add_snapshot(store, [add_part(store, SOURCE, *ARTICLES)]), "now")
    return Config(
        store=str(tmp_path),
        cache="unused",
        encoder=tiny.spec(tiny_encoder),
        engine=EngineConfig(kind="torch", precision="float32"),
        embed=EmbedConfig(threads=1),
    )


def embed(config: Config, ranges: list[RowRange], plan: EmbedPlan = PLAN) -> pa.Table:
    table = pa.table({"range": [r.model_dump_json() for r in ranges]})
    return WriteRange(config, plan)(EncodeRange(config, plan)(TokenizeRange(config, plan)(table)))


def counts(written: pa.Table) -> list[EmbedCounts]:
    return [EmbedCounts.model_validate_json(json) for json in written["counts"].to_pylist()]


def rename(store: LocalStore, snapshot: Snapshot, name: str) -> None:
    store.path(snapshot.key).rename(store.path(Layout.snapshot(name)))


def rows(start: int, stop: int) -> RowRange:
    return RowRange(source=SOURCE, start=start, stop=stop, history="h")


ALL = rows(0, 6)


def part(config: Config, of: RowRange, selection: str = "abstract") -> Path:
    return LocalStore(config.store).path(Layout.vector_part("fingerprint", selection, of.name))


def test_a_part_has_every_row_and_vectors_where_selected_and_alive(config: Config) -> None:
    embed(config, [ALL])
    pmids, _, present = vectors_at(part(config, ALL))
    assert pmids.tolist() == [a.pmid for a in ARTICLES]
    assert present.tolist() == ALIVE_WITH_ABSTRACT
    hashes = pq.read_table(LocalStore(config.store).path(Layout.article_part(SOURCE)))["text_hash"]
    assert pq.read_table(part(config, ALL))["text_hash"].to_pylist() == hashes.to_pylist()


def test_vectors_are_the_encoders_own(config: Config) -> None:
    embed(config, [ALL])
    _, vectors, present = vectors_at(part(config, ALL))
    encoder = ArticleTower(config, 1)
    texts = [
        ArticleText(a.title, a.abstract) for a, wanted in zip(ARTICLES, ALIVE_WITH_ABSTRACT, strict=True) if wanted
    ]
    expected = encoder.vectors(encoder.tokens(texts))
    np.testing.assert_allclose(vectors[present].astype(np.float32), expected, rtol=0, atol=1e-3)  # float16
    assert vectors.dtype == np.float16


def test_ranges_in_one_batch_or_alone_are_the_same_files(config: Config) -> None:
    ranges = [rows(0, 3), rows(3, 4), rows(4, 6)]
    embed(config, ranges)
    together = [vectors_at(part(config, one)) for one in ranges]
    for number, one in enumerate(ranges):
        (part(config, one)).unlink()
        embed(config, [one])
        again = vectors_at(part(config, one))
        assert all(np.array_equal(together[number][column], again[column]) for column in range(3))


def test_the_file_is_named_by_source_and_rows_and_may_be_written_again(config: Config) -> None:
    written = embed(config, [ALL])
    assert str(part(config, ALL)).endswith(f"/vectors/fingerprint/abstract/{SOURCE}-0-6-h.parquet")
    assert written["name"].to_pylist() == [f"{SOURCE}-0-6-h"]
    before = (part(config, ALL)).read_bytes()
    embed(config, [ALL])
    assert (part(config, ALL)).read_bytes() == before
    assert [f.name for f in (part(config, ALL)).parent.iterdir()] == [f"{SOURCE}-0-6-h.parquet"]


def test_what_was_done_is_reported_per_range(config: Config) -> None:
    written = embed(config, [rows(0, 2), rows(2, 6)])
    first, second = counts(written)
    assert (first.rows, first.encoded, second.rows, second.encoded) == (2, 1, 4, 2)
    encoder = ArticleTower(config, 1)
    [tokens] = encoder.tokens([ArticleText(ARTICLES[0].title, ARTICLES[0].abstract)])
    assert (first.tokens, second.tokens) == (len(tokens.ids), 7 + tiny.MAX_LENGTH)  # [CLS] 5 words [SEP], and one cut
    assert (first.padded_tokens, second.padded_tokens) == (first.tokens, second.tokens)  # a batch each
    assert (first.cut, second.cut) == (0, 1)
    assert (first.wait_seconds, second.wait_seconds > 0) == (0, True)  # only between two ranges
    assert min(min(c.read_seconds, c.encode_seconds, c.write_seconds) for c in (first, second)) > 0


def test_a_range_without_articles_to_embed_is_a_part_of_nulls(config: Config) -> None:
    assert counts(embed(config, [rows(1, 4)]))[0].encoded == 0
    pmids, _, present = vectors_at(part(config, rows(1, 4)))
    assert (pmids.tolist(), present.tolist()) == ([12, 13, 14], [False] * 3)
    assert count_at(part(config, rows(1, 4))) == 0


def test_a_list_of_pmids_selects_without_regard_to_abstracts_but_only_what_is_alive(config: Config) -> None:
    file = Path(config.store) / "pmids.txt"
    file.write_text("12\n13\n14\n")
    listed = config.model_copy(update={"selection": SelectionConfig(rule="pmids", file=str(file))})
    selection = keep_selection(LocalStore(config.store), listed.selection)
    [done] = counts(embed(listed, [ALL], PLAN._replace(selection=selection)))
    assert (done.encoded, done.without_abstract, done.without_title) == (2, 1, 0)
    assert vectors_at(part(config, ALL, selection))[2].tolist() == [False, True, False, False, True, False]


def test_a_vector_beyond_float16_is_refused_by_pmid(config: Config) -> None:
    table = TokenizeRange(config, PLAN)(pa.table({"range": [rows(4, 6).model_dump_json()]}))
    encoded = EncodeRange(config, PLAN)(table)
    overflown = np.full(2 * tiny.DIMENSION, np.inf, np.float16)
    column = pa.LargeListArray.from_arrays([0, len(overflown)], pa.array(overflown))
    encoded = encoded.set_column(encoded.column_names.index("encoded_vectors"), "encoded_vectors", column)
    [written] = WriteRange(config, PLAN)(encoded).to_pylist()
    assert written["error"].startswith("article 13: its vector is beyond float16")
    assert not (part(config, rows(4, 6))).exists()


def test_an_encoder_that_makes_other_vectors_than_are_there_encodes_nothing(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(vectors: Rows, config: Config = config) -> pa.Table:
        monkeypatch.setattr(embed_stages, "read_probe", lambda *_: Probe(texts, vectors))
        return EncodeRange(config, PLAN)(table)

    texts = [ArticleText(title, "dose in mice") for title in ("Statin", "Asthma", "Trial")]
    own = ArticleTower(config, 1).encode(texts).astype(np.float16)
    table = TokenizeRange(config, PLAN)(pa.table({"range": [ALL.model_dump_json(), rows(0, 2).model_dump_json()]}))
    same = encode(own)
    assert same["error"].to_pylist() == ["", ""]
    told = [EmbedCounts.model_validate_json(one) for one in same["counts"].to_pylist()]
    assert [one.probed for one in told] == [3, 0]
    assert told[0].probe_cosine == pytest.approx(3, abs=1e-3)
    other = WriteRange(config, PLAN)(encode(np.roll(own, 1, axis=1)))
    for error in other["error"].to_pylist():
        assert error.startswith(DRIFTED)
        assert "embed.min_agreement is 0.99" in error
    assert not part(config, ALL).exists()
    allowed = config.with_values(embed={"min_agreement": -1})
    assert encode(np.roll(own, 1, axis=1), allowed)["error"].to_pylist() == ["", ""]


def test_what_cannot_be_read_fails_by_name_and_the_others_are_written(config: Config) -> None:
    lost = RowRange(source="pubmed26n0009", start=0, stop=3, history="h")
    failed, written = embed(config, [lost, ALL]).to_pylist()
    assert failed["name"] == lost.name
    assert failed["error"].startswith(
        f"{LocalStore(config.store).path(Layout.article_part('pubmed26n0009'))}: no such file"
    )
    assert EmbedCounts.model_validate_json(failed["counts"]).encoded == 0
    assert not (part(config, lost)).exists()
    assert (written["name"], written["error"]) == (ALL.name, "")
    assert (part(config, ALL)).exists()


NIGHT = "pubmed26n0002"
REVISIONS = [
    Article(15, title="Randomised", abstract=" ".join(tiny.WORDS * 4), doi="10.1/x"),  # metadata alone
    Article(13, version=2, title="Asthma trial", abstract="dose in statin"),  # text
    Article(16, title="Trial", abstract="of hay"),  # new
    Article(12, title="Hay fever", abstract=""),  # was not selected, and is not
]


def test_an_article_that_comes_again_with_its_text_keeps_its_vector_unencoded(config: Config) -> None:
    store = LocalStore(config.store)
    before = read_snapshot(store, "now")
    [first] = row_ranges(before.info.parts, len(ARTICLES))
    embed(config, [first])
    path = part(config, first)
    pmids, hashes = (pq.read_table(path)[name].to_numpy() for name in ("pmid", "text_hash"))
    _, vectors, present = vectors_at(path)
    marked = vectors + np.float16(1)  # an encoder would not give these
    write_vector_part(path, pmids, hashes, marked, present)
    after = add_snapshot(store, [*before.info.parts, add_part(store, NIGHT, *REVISIONS)], before)
    rename(store, after, "next")

    _, one = row_ranges(after.info.parts, len(ARTICLES))
    config = config.with_values(embed={"rows_per_part": len(ARTICLES), "min_agreement": -1})
    [done] = counts(embed(config, [one], plan=PLAN._replace(snapshot="next", earlier="now")))
    assert (done.copied, done.encoded) == (1, 2)
    _, vectors, present = vectors_at(part(config, one))
    assert present.tolist() == [True, True, True, False]
    assert np.array_equal(vectors[0], marked[5])
    assert np.abs(vectors[1] - marked[4]).max() > 0.5
