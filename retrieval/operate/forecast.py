"""What a night will take, by what is new and by what the nights before it took; estimates, for nothing is read."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from schemas.figures import FIGURES
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


def rates(reports: Sequence[Mapping[str, Any]]) -> Rates | None:
    """Return the medians of some nights' reports; None where no night has encoded anything."""
    nights = [report for report in reports if report.get("embed", {}).get("encoded") and "embed" in report["seconds"]]
    if not nights:
        return None
    times: list[dict[str, float]] = [report["seconds"] for report in nights]
    return Rates(
        len(nights),
        median(of["embed"] / night["embed"]["encoded"] for of, night in zip(times, nights, strict=True)),
        median(sum(of.values()) - of["embed"] for of in times),
    )


def records_in(source_bytes: int, newest: SnapshotInfo | None) -> int:
    """Return how many records source files of so many bytes may have, by those that came the last."""
    refs = [part for part in newest.parts if part.name in newest.part_files][-RECENT:] if newest else []
    read = sum(newest.part_files[part.name].source.bytes for part in refs) if newest else 0
    bytes_a_record = read / rows if (rows := sum(part.rows for part in refs)) and read else FIGURES.source_bytes.value
    return round(source_bytes / bytes_a_record)


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
