"""What a build of an index version is made of, and whether there is such a version already."""

from actors.fetch.stored_models import found_before, tower_digests
from actors.store.stores import open_store
from jobs.common.console import log
from jobs.common.store import (
    compacted_id,
    ingested,
    keep_selection,
    read_current,
    read_version,
    version_names,
    versions,
)
from schemas.base import digest
from schemas.config import Config
from schemas.encoder import article_fingerprint
from schemas.errors import StoreError
from schemas.formats import FORMATS, NEWEST
from schemas.manifest import IndexVersion


class BuildInputs:
    """What a build is made of: all of it is in its id."""

    def __init__(self, config: Config, *, full: bool) -> None:
        self.store = open_store(config)
        self.config = config = found_before(config, versions(self.store))
        self.snapshot = ingested(self.store)
        self.selection = keep_selection(self.store, config.selection)
        self.query_tower = tower_digests(config.encoder.query, config)
        article_tower = tower_digests(config.encoder.article, config)
        self.fingerprint = article_fingerprint(config.encoder, article_tower)
        self.recipe = digest(
            {
                "selection": self.selection,
                "fingerprint": self.fingerprint,
                "index": config.index.model_dump(include={"type", "nlist", "num_shards", "sample", "seed"}),
                "segment": FORMATS[1]._asdict(),  # the first for ever: a segment says its own
            }
        )
        current = read_current(self.store)
        self._full_anew, self.on = full, current.version if current else None
        served = self._served(self.on) if self.on and not full else None
        self.parent = served if served and served.recipe == self.recipe else None
        rows = {"recipe": self.recipe, "snapshot": self.snapshot.id, "parent": self.parent.id if self.parent else None}
        # What is asked to be made anew shares no file with a version that is there, which may be damaged.
        self.rows_digest = digest(rows | ({"beside": version_names(self.store)} if full else {}))
        self.rules = digest(
            {
                "index": config.index.model_dump(
                    include={"nprobe", "candidates"} | ({"target_recall"} if config.index.target_recall else set())
                ),
                "encoder": config.encoder.identity(),
                "query_tower": self.query_tower.model_dump(),
                **({"mesh_tree": self.snapshot.info.mesh_tree} if self.snapshot.info.mesh_tree else {}),
            }
        )
        # What was CURRENT is in it: a version is promoted only over the one that it was built on.
        self.id = digest({"rows": self.rows_digest, "rules": self.rules, "on": self.on, "format": NEWEST})

    def _served(self, version: str) -> IndexVersion:
        try:
            return read_version(self.store, version)
        except StoreError as error:
            raise type(error)(f"{error}; or build beside it with pubray index --full") from None

    def existing(self) -> IndexVersion | None:
        """Return the version that this build would make, or CURRENT if it is as fresh."""
        if self._full_anew:
            return next((v for v in reversed(versions(self.store)) if self._is_alike(v)), None)
        parent = self.parent
        if parent and (parent.snapshot, parent.rules) == (self.snapshot.id, self.rules):
            return parent
        return read_version(self.store, self.id) if self.id in version_names(self.store) else None

    def _is_alike(self, version: IndexVersion) -> bool:
        """Return whether a version is one that was built anew from what this build is made of, and is whole."""
        made = (version.parent, version.recipe, version.rules, version.snapshot)
        shards = {segment.shard for segment in version.segments}
        if made != (self.on, self.recipe, self.rules, self.snapshot.id):
            return False
        if self.on and version.id == compacted_id(self.on):
            return False
        if version.tombstones or len(shards) < len(version.segments):
            return False
        # Imported here: torch, which is behind it, takes a second.
        from jobs.steps.index.version_files import check_bytes

        try:
            check_bytes(self.store, version)
        except StoreError as error:
            log(f"index     version {version.id} is built again: {error}")
            return False
        return True
