"""Items that are alike go together, as a forward pass or a scan costs about the same for one and for many."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


def alike_together(items: Sequence[T], kind: Callable[[T], K], answer: Callable[[K, list[T]], Iterable[R]]) -> list[R]:
    """Return the answer to each item, where `answer` is given all items of one kind at a time, in their order."""
    places: dict[K, list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault(kind(item), []).append(place)
    answers: dict[int, R] = {}
    for one_kind, of_kind in places.items():
        answers |= zip(of_kind, answer(one_kind, [items[place] for place in of_kind]), strict=True)
    return [answers[place] for place in range(len(items))]
