"""The MeSH tree: which headings are narrower than which, by their tree numbers."""

from bisect import bisect_left
from collections import defaultdict

from schemas.filters import fold


class MeshTree:
    """Headings by their places in the tree. NLM's 31 thousand take 100 ms to load, and 30 MB."""

    def __init__(self, text: str = "") -> None:
        """Take what `retrieval.ingest.mesh_files` writes: lines of heading, tree number and UI, which may be empty."""
        lines = [line.split("\t") for line in text.splitlines()]
        places = sorted((number, fold(name), fold(ui)) for name, number, ui in lines)
        self._numbers = [number for number, _, _ in places]
        self._names = [(name, ui) if ui else (name,) for _, name, ui in places]
        self._of_name = defaultdict[str, list[str]](list)
        for number, names in zip(self._numbers, self._names, strict=True):
            for name in names:
                self._of_name[name].append(number)

    @property
    def names(self) -> set[str]:
        """All headings and UIs, as `fold` leaves them."""
        return {*self._of_name}

    def __contains__(self, heading: str) -> bool:
        return fold(heading) in self._of_name

    def names_below(self, heading: str) -> set[str]:
        """Return the names and UIs of a heading and of all that are narrower; of one not in the tree, its own name.

        A number is before those below it: C04 < C04.182 < C05, and no character is between the period and the slash.
        """
        found = {fold(heading)}
        for number in self._of_name.get(fold(heading), ()):
            begin, end = bisect_left(self._numbers, number), bisect_left(self._numbers, f"{number}/")
            found.update(name for names in self._names[begin:end] for name in names)
        return found
