"""Putting a service together from a configuration and the version it is to serve."""

from actors.embed.towers import ArticleTower, QueryTower, TextEncoder
from actors.engine.cpu_threads import available_threads
from actors.fetch.stored_models import as_built
from actors.search.index_searcher import IndexSearcher
from actors.search.rerankers import load_reranker
from actors.search.served_versions import ServedVersions
from actors.service.search_service import SearchService
from actors.service.second_stage import Reranking
from actors.service.servable import check_encoder, check_query_tower
from actors.store.stores import open_store
from schemas.config import Config
from schemas.manifest import IndexVersion
from schemas.protocols import Query, Reranker
from schemas.search import ScoreKind

SCORE_KINDS: dict[str, ScoreKind] = {"maxsim": "fused", "cross-encoder": "logit"}


def load_encoder(config: Config, version: IndexVersion) -> TextEncoder:
    """Load the query tower that the version names; the article tower follows when it is needed.

    Raises:
        StoreError: the configured one is another: its vectors and the version's would not be of one space.
    """
    check_encoder(config, version)
    threads = available_threads()
    query_tower, model = QueryTower(config, threads), config.encoder.query.model
    check_query_tower(model, query_tower.digests, version)
    query_tower.encode([Query("")])  # loads what the engine loads at its first use
    return TextEncoder(query_tower, lambda: ArticleTower(config, threads))


def load_ranking(config: Config) -> Reranking | None:
    """Load the second stage, if there is one."""
    reranker = load_reranker(config)
    return ranking(config, reranker, None) if reranker else None


def ranking(config: Config, reranker: Reranker, seconds: float | None) -> Reranking:
    """Return the configured second stage over a re-ranker, plain or behind a handle, that may take so long."""
    rerank = config.rerank
    name = (rerank.kind == "cross-encoder" and rerank.model) or rerank.kind
    return Reranking(reranker, name, SCORE_KINDS[rerank.kind], rerank.candidates, seconds, rerank.degrade)


def load_service(config: Config, version: IndexVersion) -> SearchService:
    """Load all parts into this process, for one version."""
    config = as_built(config, version)
    encoder, searcher = load_encoder(config, version), IndexSearcher(open_store(config), version)
    return SearchService(ServedVersions(version), encoder, searcher, load_ranking(config))
