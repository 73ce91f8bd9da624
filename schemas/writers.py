"""Who writes to a store, as others are told."""

from collections.abc import Callable
from typing import NamedTuple

from schemas.base import Frozen


class Holder(NamedTuple):
    """A run that is to be the one who writes."""

    run: str
    """Names it among all runs."""
    who: str
    """"pubray nightly, process 12 on a-host, since 2026-11-30T01:00:00+00:00"."""
    doing: Callable[[], str]
    """Says how far it is: "embed, 3 of 30 rows"."""
    lost: Callable[[], None]
    """Is called, in another thread, when it is not the one who writes any more."""


class Lease(Frozen):
    """The object of a bucket that says who writes; times are the server's, in ns since 1970."""

    run: str
    who: str
    doing: str
    renewed: int
    expires: int
    """0: given back."""
