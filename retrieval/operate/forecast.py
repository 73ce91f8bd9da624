"""What a night will take, by what is new and by what the nights before it took; estimates, for nothing is read."""

from collections.abc import Sequence
from statistics import fmean, median
from typing import NamedTuple

from schemas.figures import FIGURES
from schemas.run import NightFigures
from schemas.snapshot import SnapshotInfo

RECENT = 20
"""Source files by which it is guessed how many records a new one has."""


class Rates(NamedTuple):
    """How fast the last nights were."""

    nights: int
    encoding: float
    """Seconds per article encoded."""
    others: float
    """Seconds of all other stages of a night, which hardly grow with it."""

    def seconds(self, encoded: float) -> float:
        return self.encoding * encoded + self.others


def rates(nights: Sequence[NightFigures]) -> Rates | None:
    """Return the medians of some nights; None where none has encoded anything."""
    known = [(of.articles_per_second, of.encoded, of.seconds) for of in nights if of.articles_per_second and of.encoded]
    if not known:
        return None
    return Rates(
        len(known),
        median(1 / speed for speed, _, _ in known),
        median(seconds - encoded / speed for speed, encoded, seconds in known),
    )


def records_in(source_bytes: int, newest: SnapshotInfo | None) -> int:
    """Return how many records source files of so many bytes may have, by those that came the last."""
    recent = _recent(newest)
    read, rows = sum(bytes for bytes, _ in recent), sum(rows for _, rows in recent)
    return round(source_bytes / (read / rows if read and rows else FIGURES.source_bytes.value))


def mean_bytes(newest: SnapshotInfo | None) -> float:
    """Return the bytes of a source file, by those that came the last; 0: none is known."""
    recent = _recent(newest)
    return fmean(bytes for bytes, _ in recent) if recent else 0.0


def _recent(newest: SnapshotInfo | None) -> list[tuple[int, int]]:
    """Return the bytes and records of the source files that came the last."""
    known = [part for part in newest.parts if part.name in newest.part_files][-RECENT:] if newest else []
    return [(newest.part_files[part.name].source.bytes, part.rows) for part in known] if newest else []


def encoded_of(records: int, line: Sequence[SnapshotInfo]) -> int:
    """Return how many of so many new records may have a new text; line: the newest snapshot, the one before it, …

    The first snapshot says nothing of nights; of a store without any, all are new.
    """
    if not line:
        return records
    nights = [info for info in line if info.previous]
    came = sum(_rows(info) for info in nights)
    texts = sum(info.counts.added + info.counts.revised_text for info in nights)
    return round(records * (texts / came if came else FIGURES.night_encoded.value))


def _rows(info: SnapshotInfo) -> int:
    """Return how many records came with a snapshot and are alive, or killed something."""
    counts = info.counts
    return counts.added + counts.revised_text + counts.revised_metadata + counts.reissued + counts.deleted
