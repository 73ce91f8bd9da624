"""Which kind of store a configuration names: the one place that asks."""

from actors.store.local_store import LocalStore
from schemas.config import Config
from schemas.store import Store


def open_store(config: Config) -> Store:
    """Return the store of a configuration; nothing is asked of it yet."""
    return LocalStore(config.store)
