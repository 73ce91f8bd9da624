"""Putting a service together from a configuration and the version it is to serve."""

from pathlib import Path

from actors.conversion import with_safetensors
from actors.encoder import ArticleTower, QueryTower
from actors.models import model_folder
from actors.rerankers import CrossEncoderReranker, MaxSimReranker
from actors.searcher import IndexSearcher
from actors.service import SearchService
from schemas.config import Config
from schemas.errors import StoreError, UsageError
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import QueryEncoder, Reranker, Searcher

SCORE_KINDS = {"maxsim": "fused", "cross-encoder": "logit", "none": "inner_product"}


def load_encoder(config: Config, version: IndexVersion, threads: int) -> QueryTower:
    """Load the query tower that the version names.

    Raises:
        StoreError: the configured one is another: its vectors and the version's would not be of one space.
    """
    check_encoder(config, version)
    spec = config.encoder
    encoder = QueryTower(spec, config.engine, threads=threads, cache=Path(config.cache))
    for part, built_with in version.query_tower:
        if (found := getattr(encoder.digests, part)) != built_with:
            raise StoreError(
                f"{spec.query.model}: its {part} (sha256 {found[:12]}…) is not what version {version.id} was built "
                f"with ({built_with[:12]}…); restore the file, or index again"
            )
    return encoder


def check_encoder(config: Config, version: IndexVersion) -> None:
    """Check, without loading anything, that the configured encoder is the version's.

    Raises:
        StoreError: it is another.
    """
    if config.encoder.identity() != version.encoder.identity():
        raise StoreError(
            f"version {version.id} in {config.store} belongs to encoder {version.encoder.name!r}, the configured one "
            f"is {config.encoder.name!r}{_first_difference(config, version)}; use the --config it was built with"
        )


def _first_difference(config: Config, version: IndexVersion) -> str:
    """Name the first differing value of two encoders of one name."""
    ours, theirs = config.encoder.identity(), version.encoder.identity()
    key = next(key for key in ours if ours[key] != theirs[key])
    return "" if key == "name" else f" with another {key!r}"


def load_searcher(config: Config, version: IndexVersion) -> IndexSearcher:
    """Map the version."""
    return IndexSearcher(Layout(config.store), version)


def load_reranker(config: Config, threads: int) -> MaxSimReranker | CrossEncoderReranker | None:
    """Load the configured re-ranker.

    Raises:
        UsageError: it is a cross-encoder without a model.
        InputError: its model cannot be had, or is a .bin that is not trusted.
    """
    rerank, cache, spec = config.rerank, Path(config.cache), config.encoder
    if rerank.kind == "none":
        return None
    if rerank.kind == "maxsim":
        return MaxSimReranker(
            QueryTower(spec, config.engine, threads=threads, cache=cache),
            ArticleTower(spec, config.engine, threads=threads, cache=cache),
        )
    if rerank.model is None:
        raise UsageError("rerank.kind = 'cross-encoder' needs rerank.model, a folder or a hub name")
    folder = with_safetensors(model_folder(rerank.model, rerank.revision, cache), rerank.bin_sha256, cache)
    return CrossEncoderReranker(folder, rerank.max_length, config.engine, threads=threads, cache=cache)


def build_service(
    config: Config,
    version: IndexVersion,
    encoder: QueryEncoder,
    searcher: Searcher,
    reranker: Reranker | None,
) -> SearchService:
    """Join the parts, plain objects or adapters over handles."""
    kind = config.rerank.kind if reranker else "none"
    return SearchService(
        version,
        encoder,
        searcher,
        reranker,
        reranker_name=(config.rerank.model or kind) if kind == "cross-encoder" else kind,
        score_kind=SCORE_KINDS[kind],
        candidates=config.rerank.candidates,
    )


def load_service(config: Config, version: IndexVersion, threads: int) -> SearchService:
    """Load all parts into this process."""
    encoder = load_encoder(config, version, threads)
    return build_service(config, version, encoder, load_searcher(config, version), load_reranker(config, threads))
