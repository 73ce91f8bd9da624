"""Which kind of store a configuration names: the one place that asks."""

from actors.store.local_store import LocalStore
from actors.store.node_cache import NodeCache
from schemas.config import Config
from schemas.store import Store

S3 = "s3://"


def open_store(config: Config) -> Store:
    """Return the store of a configuration; nothing is asked of it yet."""
    return store_at(config.store, config)


def store_at(root: str, config: Config) -> Store:
    """Return the store at another root."""
    if not root.startswith(S3):
        return LocalStore(root)
    # Imported here: s3fs takes half a second, and a folder does without.
    from actors.store.s3_store import S3Store

    return S3Store(root.rstrip("/"), NodeCache(f"{config.cache}/s3", config.cache_bytes), config.lease.seconds)
