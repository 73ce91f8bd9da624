"""Whether a version can be served by a configuration; nothing is loaded."""

from schemas.config import Config
from schemas.encoder import TowerDigests
from schemas.errors import StoreError
from schemas.manifest import IndexVersion


def check_encoder(config: Config, version: IndexVersion) -> None:
    """Check that the configured encoder is the version's; StoreError: it is another."""
    ours, theirs = config.encoder.identity(), version.encoder.identity()
    if ours != theirs:
        key = next(key for key in ours if ours[key] != theirs[key])
        difference = "" if key == "name" else f" with another {key!r}"
        raise StoreError(
            f"version {version.id} in {config.store} belongs to encoder {version.encoder.name!r}, the configured one "
            f"is {config.encoder.name!r}{difference}; use the --config it was built with"
        )


def check_query_tower(model: str, digests: TowerDigests, version: IndexVersion) -> None:
    """Check that a query tower is loaded from the files that a version was built with; StoreError: from others."""
    for part, built_with in version.query_tower:
        if (found := getattr(digests, part)) != built_with:
            raise StoreError(
                f"{model}: its {part} (sha256 {found[:12]}…) is not what version {version.id} was built "
                f"with ({built_with[:12]}…); restore the file, or index again"
            )


def check_servable(config: Config, version: IndexVersion) -> None:
    """Check that a service of this configuration can answer from a version.

    Raises:
        StoreError: it belongs to another encoder, or has shards that nobody would search.
    """
    check_encoder(config, version)
    shards = 1 + max((segment.shard for segment in version.segments), default=0)
    if shards > config.index.num_shards:
        raise StoreError(
            f"version {version.id} has {shards} shards, but index.num_shards = {config.index.num_shards};"
            f" set it to {shards}"
        )
