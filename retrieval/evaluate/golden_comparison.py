"""Comparing vectors and scores with what was published."""

from collections.abc import Sequence

import numpy as np

from schemas.arrays import Floats
from schemas.golden import Check, GoldenText, Numbers

SHOWN = 3
"""Numbers at each end of a vector, as MedCPT's README prints them."""


def compare_numbers(what: str, expected: Numbers, got: Sequence[float], tolerance: float) -> Check:
    """Compare numbers one by one; `tolerance` is the largest difference that passes."""
    difference = float(np.max(np.abs(np.subtract(expected, got))))
    # NaN is no number within a tolerance.
    return Check(what=what, expected=expected, got=tuple(got), difference=difference, passed=difference <= tolerance)


def compare_ends(what: str, golden: GoldenText, vector: Floats, tolerance: float) -> Check:
    """Compare the two ends of a vector (dimension,) with those that were printed."""
    got = np.concatenate([vector[: len(golden.first)], vector[-len(golden.last) :]])
    return compare_numbers(what, golden.first + golden.last, got.tolist(), tolerance)


def compare_vectors(what: str, expected: Floats, got: Floats, tolerance: float) -> Check:
    """Compare whole vectors (dimension,); the difference is a share of the largest number expected."""
    difference = float(np.max(np.abs(expected - got)) / np.max(np.abs(expected)))
    return Check(
        what=what, expected=_ends(expected), got=_ends(got), difference=difference, passed=difference <= tolerance
    )


def _ends(vector: Floats) -> Numbers:
    return tuple(np.concatenate([vector[:SHOWN], vector[-SHOWN:]]).tolist())
