"""What pairs must have for a run of training; one line says what is missing, and what to do."""

from collections.abc import Sequence

import numpy as np

from schemas.arrays import Floats, Pmids, RowNumbers
from schemas.errors import InputError


def check_scores(scores: Sequence[Floats], negatives: Sequence[Pmids]) -> None:
    """Refuse pairs of which one has not a teacher's score of its positive and of each negative."""
    without = sum(len(of) != 1 + len(mined) for of, mined in zip(scores, negatives, strict=True))
    if without:
        raise InputError(f"{without} of {len(scores)} pairs have no teacher's scores; mine with mine.teacher = true")


def refuse_held_out(positives: Pmids, negatives: Sequence[Pmids], held_out: Pmids) -> None:
    """Refuse to train on an article that is held out, whichever of several sets says so."""
    used = np.concatenate([positives, *negatives]) if len(negatives) else positives
    if len(both := np.intersect1d(used, held_out)):
        raise InputError(
            f"article {both[0]}{f' and {len(both) - 1} others' if len(both) > 1 else ''} would be trained on, and held "
            "out: what is measured would be what was learnt; mine the sets with one mine.held_out, and of one snapshot"
        )


def scores_of(scores: Sequence[Floats], places: RowNumbers) -> Floats:
    """Return the teacher's scores (n, 1 + count) of the positives, and of the negatives at these places (n, count)."""
    return np.array([of[np.append(0, 1 + drawn)] for of, drawn in zip(scores, places, strict=True)], np.float32)
