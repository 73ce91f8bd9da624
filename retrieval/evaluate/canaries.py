"""Canaries: queries whose answers are known, and change from version to version only where their articles do."""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from retrieval.index.exact import best_first
from retrieval.index.segment import OpenSegment
from retrieval.rows.row_numbers import rows_of
from retrieval.search.segment_search import Candidates
from schemas.arrays import Mask, Pmids
from schemas.base import first_wrong
from schemas.canary import Canary, CanaryAnswer, CanaryFile
from schemas.errors import UsageError

DEPTH = 10
"""Articles of an answer."""


def read_canaries(file: str | None) -> tuple[Canary, ...]:
    """Return the canaries of a TOML file, none where no file is named.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    if file is None:
        return ()
    try:
        return CanaryFile.model_validate(tomllib.loads(Path(file).read_text())).query
    except OSError as error:
        raise UsageError(f"index.canaries = {file!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"index.canaries = {file!r}: not TOML ({error})") from None
    except ValidationError as error:
        raise UsageError(f"index.canaries = {file!r}: {first_wrong(error)}") from None


def answer(canary: Canary, found: Candidates, segments: Sequence[OpenSegment]) -> CanaryAnswer:
    """Return what a search of segments for a canary found, and lacks of the articles that are there."""
    pmids, wanted = found.pmids[best_first(found.scores, found.pmids, DEPTH)], np.array(canary.must_find, np.int64)
    missing = wanted[live_in(segments, wanted) & ~np.isin(wanted, pmids)]
    return CanaryAnswer(text=canary.text, found=tuple(pmids.tolist()), missing=tuple(missing.tolist()))


def change(
    before: Sequence[CanaryAnswer],
    after: Sequence[CanaryAnswer],
    came: Callable[[Pmids], Mask],
    stayed: Callable[[Pmids], Mask],
) -> float | None:
    """Return which share of the answers, on average, is another though its articles are not; None if none was asked.

    came: which articles are new, or have changed. stayed: which of the old ones are as they were.
    """
    shares = list(_changes({one.text: one.found for one in before}, after, came, stayed))
    return float(np.mean(shares)) if shares else None


def _changes(
    known: dict[str, tuple[int, ...]],
    after: Sequence[CanaryAnswer],
    came: Callable[[Pmids], Mask],
    stayed: Callable[[Pmids], Mask],
) -> Iterator[float]:
    for one in after:
        if one.text in known:
            old, new = (np.array(pmids, np.int64) for pmids in (known[one.text], one.found))
            old, new = old[stayed(old)], new[~came(new)]
            size = min(len(old), len(new))
            yield 1 - len(np.intersect1d(old[:size], new[:size])) / size if size else 0.0


def live_in(segments: Sequence[OpenSegment], pmids: Pmids) -> Mask:
    """Return which articles have a live row in one of the segments."""
    found = np.zeros(len(pmids), bool)
    for segment in segments:
        rows = rows_of(segment.pmids, segment.pmid_order, pmids)
        found |= (rows >= 0) & segment.live[rows]
    return found
