"""What is known of the article parts of a store without reading any that the newest snapshot knows already."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from retrieval.articles.article import ArticlePart, read_article_part
from retrieval.articles.snapshot import Snapshot
from schemas.layout import Layout, kind_of
from schemas.snapshot import PartFile, PartRef
from schemas.store import Store, Stored

READERS = 16


class KnownParts:
    """The article parts that there are. Only of those that are not as the snapshot saw them the footers are read."""

    def __init__(self, store: Store, snapshot: Snapshot | None) -> None:
        self._store, self._found = store, dict[str, Stored]()
        for one in store.entries(Layout.article_part.folder):
            if (of := kind_of(one.key)) is not None:
                self._found[of[1]] = one
        self._refs: Mapping[str, PartRef] = {ref.name: ref for ref in snapshot.info.parts} if snapshot else {}
        self._files = snapshot.info.part_files if snapshot else {}
        self._read = dict[str, ArticlePart]()

    @property
    def names(self) -> set[str]:
        """Of all, whether in a snapshot or not."""
        return set(self._found)

    def look_at(self, names: Iterable[str]) -> None:
        """Read the footers that are to be read of these parts, many at a time: a bucket takes its time for each."""
        unread = [name for name in names if not self._is_as_it_was(name) and name not in self._read]
        with ThreadPoolExecutor(READERS) as pool:
            self._read |= zip(unread, pool.map(partial(read_article_part, self._store), unread), strict=True)

    def ref(self, name: str) -> PartRef:
        """Return the part that there is; IntegrityError: it is none, or not whole."""
        return self._refs[name] if self._is_as_it_was(name) else self._footer(name).ref

    def file(self, name: str) -> PartFile:
        """Return how it lies in the store, and what it was read from."""
        if self._is_as_it_was(name):
            return self._files[name]
        part = self._footer(name)
        found = self._found[name]
        return PartFile(found.bytes, found.modified, part.source, part.rejects.counts, part.rejects.samples)

    def _is_as_it_was(self, name: str) -> bool:
        found, known = self._found.get(name), self._files.get(name)
        return name in self._refs and found is not None and known is not None and found[1:] == known[:2]

    def _footer(self, name: str) -> ArticlePart:
        if name not in self._read:
            self._read[name] = read_article_part(self._store, name)
        return self._read[name]
