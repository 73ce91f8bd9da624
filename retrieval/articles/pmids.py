"""PMIDs: lists of them and other rules by which articles are selected, and arrays found in others or in classes."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.files.checked import read_bytes
from schemas.arrays import Mask, Number, Pmids, RowNumbers
from schemas.base import digest
from schemas.config import SelectionConfig
from schemas.errors import InputError
from schemas.layout import Layout
from schemas.manifest import Population
from schemas.store import Store

CLASS_ROWS = 8_000_000
"""PMIDs that are looked at together where all of a snapshot is: what bounds the memory."""

LIST = "pmids-"
"""Begins the id of a selection that is a list."""
MAX_DIGITS = 18
"""Of an int64."""


class PmidClass(NamedTuple):
    """The PMIDs that leave the same remainder."""

    remainder: int
    classes: int

    def holds(self, pmids: Pmids) -> Mask:
        return pmids % self.classes == self.remainder


def pmid_classes(rows: int) -> list[PmidClass]:
    """Return so many classes, one at least, that of `rows` PMIDs each has some `CLASS_ROWS`."""
    classes = max(1, -(-rows // CLASS_ROWS))
    return [PmidClass(remainder, classes) for remainder in range(classes)]


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Sort in place, and return each value once: several times as fast as numpy.unique(), and in less memory."""
    values.sort()
    return values[np.append(True, values[1:] != values[:-1])[: len(values)]]


def mixed(pmids: Pmids) -> NDArray[np.uint64]:
    """Return 64 bits (n,) of each PMID, a fixed mix of its own (splitmix64), so that runs of PMIDs spread."""
    bits = pmids.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))


def population(pmids: Pmids) -> Population:
    """Return the set of these PMIDs, each of which is in it once."""
    return Population(articles=len(pmids), digest=f"{int(mixed(pmids).sum(dtype=np.uint64)):016x}")


def find_among(known: Pmids, wanted: Pmids) -> tuple[RowNumbers, RowNumbers]:
    """Return which of the `wanted` PMIDs (positions) are among `known` ones, sorted and each once, and where there."""
    slots = np.searchsorted(known, wanted)
    [found] = np.nonzero(slots < len(known))
    found = found[known[slots[found]] == wanted[found]]
    return found, slots[found]


def parse_pmids(text: str, name: str) -> Pmids:
    """Read a list of PMIDs, one per line, `#` starts a comment; sorted, each once.

    Raises:
        InputError: names the first line that is not a number, or that there is none at all.
    """
    pmids = []
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if word and not (word.isdecimal() and len(word) <= MAX_DIGITS):
            raise InputError(f"{name} line {number}: {word[:40]!r} is not a PMID; write one number per line")
        if word:
            pmids.append(int(word))
    if not pmids:
        raise InputError(f"{name}: no PMIDs in it; write one number per line")
    return np.unique(np.array(pmids, np.int64))


def list_id(pmids: Pmids) -> str:
    """Name the selection of these PMIDs; two of the same name select alike."""
    return f"{LIST}{digest(pmids.tolist())}"


def read_selection(store: Store, selection: str) -> Pmids | None:
    """Return the PMIDs of a selection that is a list, sorted; None: it is another rule."""
    if not selection.startswith(LIST):
        return None
    return np.frombuffer(read_bytes(store, Layout.selection(selection), f"the selection {selection}"), np.int64)


def selected(config: SelectionConfig, pmids: Pmids | None, articles: pa.Table) -> Mask:
    """Return which of the articles (columns pmid, abstract) are selected."""
    if pmids is not None:
        return np.isin(articles["pmid"].to_numpy(), pmids)
    if config.rule == "abstract":
        return pc.not_equal(articles["abstract"], "").to_numpy()
    return np.ones(len(articles), bool)
