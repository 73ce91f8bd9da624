"""What a night will take, guessed by those before it."""

import pytest

from retrieval.operate.forecast import encoded_of, rates, records_in
from schemas.figures import FIGURES
from schemas.run import NightFigures
from schemas.snapshot import Lineage, PartFile, PartRef, SnapshotCounts, SnapshotInfo, SourceFile


def snapshot(parts: dict[str, tuple[int, int]], previous: str | None = None, **counts: int) -> SnapshotInfo:
    """A snapshot of parts of so many source bytes and rows."""
    return SnapshotInfo(
        lineage=Lineage(number=1),
        parts=tuple(PartRef(name, name, rows, 0) for name, (_, rows) in parts.items()),
        previous=previous,
        counts=SnapshotCounts(**(dict.fromkeys(SnapshotCounts.model_fields, 0) | counts)),
        part_files={name: PartFile(1, 1, SourceFile(size), {}, {}) for name, (size, _) in parts.items()},
    )


def test_records_are_guessed_by_the_bytes_of_the_last_files() -> None:
    old = {f"old{number}": (10**9, 1) for number in range(5)}
    recent = {f"new{number}": (1000, 10) for number in range(20)}
    assert records_in(5000, snapshot(old | recent)) == 50


@pytest.mark.parametrize("newest", [None, snapshot({}), snapshot({"a": (0, 10)})])
def test_where_nothing_is_known_they_are_guessed_by_pubmeds(newest: SnapshotInfo | None) -> None:
    assert records_in(130_000, newest) == round(130_000 / FIGURES.source_bytes.value)


def test_texts_are_guessed_by_the_nights_before() -> None:
    first = snapshot({}, added=1000)
    night = snapshot({}, "1", added=10, revised_text=20, revised_metadata=30, reissued=20, deleted=20, alive=990)
    assert encoded_of(1000, [night, night, first]) == 300
    assert encoded_of(1000, [first]) == round(1000 * FIGURES.night_encoded.value)
    assert encoded_of(1000, []) == 1000


def night(encoded: int, speed: float | None, seconds: float) -> NightFigures:
    return NightFigures(
        articles=1, bytes=1, dead_rows=0, recall_at_10=1, encoded=encoded, articles_per_second=speed, seconds=seconds
    )


def test_rates_are_medians_of_the_nights_that_encoded_something() -> None:
    nights = [night(10, 0.5, 24.0), night(10, 0.25, 42.0), night(10, 1.0, 19.0)]
    found = rates([*nights, night(0, None, 1000.0)])
    assert found == (3, 2.0, 4.0)
    assert found.seconds(100) == 204
    assert rates([night(0, None, 1.0)]) is None
