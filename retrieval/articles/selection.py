"""Which live articles are indexed."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrays import Mask, Pmids
from schemas.base import digest
from schemas.config import SelectionConfig
from schemas.errors import InputError

MAX_DIGITS = 18
"""Of an int64."""


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


def selection_id(config: SelectionConfig, pmids: Pmids | None) -> str:
    """Name a selection; two of the same name select alike."""
    return config.rule if pmids is None else f"pmids-{digest(pmids.tolist())}"


def selected(config: SelectionConfig, pmids: Pmids | None, articles: pa.Table) -> Mask:
    """Return which of the articles (columns pmid, abstract) are selected."""
    if pmids is not None:
        return np.isin(articles["pmid"].to_numpy(), pmids)
    if config.rule == "abstract":
        return pc.not_equal(articles["abstract"], "").to_numpy()
    return np.ones(len(articles), bool)
