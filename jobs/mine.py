"""Articles → pairs to train with: queries of PubMed's own records, the article that answers each, and near others."""

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from actors.fetch.stored_models import Model, as_built, brought, reranking_models, tower_digests
from actors.service.servable import check_encoder, check_query_tower
from actors.store.stores import open_store
from actors.train.pairs.given_pairs import given_table, write_given_texts
from actors.train.pairs.pair_miner import MineCounts
from jobs.common.cluster.joining import connect
from jobs.common.console import cut, table
from jobs.common.options import Option
from jobs.common.run_records import record_of_done
from jobs.common.run_reports import json_values
from jobs.common.store import ingested, keep_selection, served_version
from jobs.steps.train.mining import Wanted, equal_texts, made
from retrieval.articles.snapshot import read_snapshot
from retrieval.embed.vector_parts import row_ranges
from retrieval.evaluate.judgments import judged_pmids
from retrieval.train.pairs.pair_files import GivenPairs, PairReader, read_articles_of, read_queries_of
from retrieval.train.pairs.pair_sets import read_pair_set
from schemas.base import digest
from schemas.config import Config
from schemas.errors import InputError, UsageError
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.pair import PairSet
from schemas.training_report import MineReport

EXCLUDE = Option(
    "leave out the articles of these judgments, and those of the same text: what is measured by is not trained on",
    metavar="QRELS",
)
FILE = Option(
    "pairs of this file instead: MedCPT's train.jsonl or train.json, triplets of BMRetriever, BiCA, FlagEmbedding or "
    "tevatron, a folder of BEIR's",
    metavar="PATH",
)
QUERIES = Option("with --file: MedCPT's qid2info.json", metavar="FILE")
TEXTS = Option("with --file: MedCPT's pmid2info.json, for articles that the store has not", metavar="FILE")
PIECE_ROWS = 8192
"""Rows of an article part that make a piece."""
DEPTHS = (1, 3, 10, 50, 200)


def run(
    config: Config,
    *,
    exclude: Annotated[str | None, EXCLUDE] = None,
    file: Annotated[str | None, FILE] = None,
    queries: Annotated[str | None, QUERIES] = None,
    texts: Annotated[str | None, TEXTS] = None,
) -> MineReport:
    """Make the set of pairs of the articles of the version that is served, which ranks them; or find it.

    Where nothing is to be ranked they are those of the newest snapshot.

    Raises:
        UsageError: --queries or --texts without a file; a teacher is wanted, and none is configured.
        InputError: judgments or pairs that cannot be read, or none is made.
        StoreError: nothing was ingested; nothing is served, though articles are to be ranked, or it is of another
            encoder.
    """
    store, start = open_store(config), time.monotonic()
    version = served_version(store) if config.mine.depth else None
    snapshot = read_snapshot(store, version.snapshot) if version else ingested(store)
    selection = keep_selection(store, config.selection)
    excluded = judged_pmids(Path(exclude)) if exclude else np.empty(0, np.int64)
    given = _given(file, queries, texts)
    inputs: dict[str, Any] = {
        "mine": config.mine.model_dump(mode="json"),
        "selection": selection,
        "excluded": digest(excluded.tolist()),
    }
    if version:
        config, inputs["ranked by"] = _ranking(config, version)
    if given:
        inputs["given"] = digest([[*pair] for pair in given.pairs] + sorted([k, *t] for k, t in given.texts.items()))
    about = PairSet(snapshot=snapshot.id, version=version.id if version else None, inputs=inputs, counts={})
    pairs = digest(about.model_dump(mode="json", exclude={"counts"}))
    told = MineCounts()._asdict() | {"ranks": {}}
    if new := store.facts(Layout.pairs(pairs)) is None:
        connect(config)
        if version:
            config = brought(config, config.encoder.query, *_teachers(config))
        wanted = Wanted(pairs, snapshot.id, selection, equal_texts(config, snapshot), excluded)
        of: Any = row_ranges(snapshot.info.parts, PIECE_ROWS)
        if given:
            of = given_table(store, snapshot, given, wanted.equal, excluded, config.mine.held_out)
            if given.texts:
                with store.incoming(Layout.pair_texts(pairs)) as path:
                    write_given_texts(path, given.texts)
        about, counts = made(config, wanted, version, of, about)
        found = np.cumsum(counts.ranks)
        deep = [depth for depth in DEPTHS if depth <= config.mine.depth and len(found)]
        depths = {str(depth): int(found[min(depth, len(found)) - 1]) for depth in deep}
        told = counts._asdict() | {"ranks": depths}
    else:
        about = read_pair_set(store, pairs)
    if not about.counts:
        why = f" ({', '.join(given.skipped)})" if given else ""
        raise InputError(f"no pair is made{why}; name other mine.signals, or another file")
    report = MineReport(
        pairs=pairs,
        snapshot=snapshot.id,
        version=about.version,
        new=new,
        counts=about.counts,
        seconds=time.monotonic() - start,
        **({"skipped": given.skipped} if given and given.skipped else {}),
        **told,
    )
    if new:
        record_of_done(store, "mine", json_values(report))
    return report


def show(report: MineReport) -> str:
    head = f"pairs {report.pairs}: {'made' if report.new else 'were there'}, of snapshot {report.snapshot}"
    rows: list[list[object]] = [[s, of.get("train", 0), of.get("held-out", 0)] for s, of in report.counts.items()]
    text = f"{head}\n{table(['signal', 'to train', 'held out'], rows)}"
    text += "".join(f"\n{count:,} left out: {why}" for why, count in report.skipped.items())
    if not report.ranked:
        return text
    ranks = ", ".join(f"{found / report.ranked:.3f} among {depth}" for depth, found in report.ranks.items())
    examples = table(
        ["query", "answered by", "not by"],
        [[cut(x.query, 50), cut(x.positive, 40), cut(x.negative, 40)] for x in report.examples],
    )
    text += f"\npositives found: {ranks}"
    if report.looked_at:
        text += (
            f"\nof the ranks of negatives {report.answers / report.looked_at:.2%} answer the query too, "
            f"{report.too_near / report.looked_at:.2%} score too near its positive"
        )
    return f"{text}\n{examples}" if report.examples else text


def _ranking(config: Config, version: IndexVersion) -> tuple[Config, dict[str, Any]]:
    """Return the configuration with the models that a version was built with, and what its ranking depends on."""
    check_encoder(config, version)
    if config.mine.teacher and config.rerank.kind == "none":
        raise UsageError("mine.teacher = true, and rerank.kind = 'none'; configure a re-ranker")
    config = as_built(config, version)
    query = config.encoder.query
    digests = tower_digests(query, config)
    check_query_tower(query.model, digests, version)
    of: dict[str, Any] = {
        "query": query.model_dump(mode="json", include={"task", "max_length"}),
        "tower": digests.model_dump(),
    }
    if config.mine.teacher:
        of["teacher"] = config.rerank.model_dump(mode="json", include={"kind", "max_length"})
        of["its models"] = [tower_digests(model, config).model_dump() for model in _teachers(config)]
    return config, of


def _teachers(config: Config) -> list[Model]:
    return reranking_models(config) if config.mine.teacher else []


def _given(file: str | None, queries: str | None, texts: str | None) -> GivenPairs | None:
    """Return the pairs of a file, if one is named."""
    if file is None:
        if queries or texts:
            raise UsageError("--queries and --texts go with --file; name it")
        return None
    infos = read_queries_of(Path(queries)) if queries else {}
    return PairReader(infos, read_articles_of(Path(texts)) if texts else {}).read(Path(file))
