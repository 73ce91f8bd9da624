"""A clock that is wrong by CAMPAIGN_CLOCK seconds, in every Python process that has this folder on its path."""

import datetime
import os
import time

AHEAD = float(os.environ.get("CAMPAIGN_CLOCK", 0))
right = time.time


def wrong() -> float:
    """What `time.time` is: by a name, so that whoever refers to it can be sent to a worker."""
    return right() + AHEAD


class Shifted(datetime.datetime):
    """What `datetime.datetime.now` is asked of."""

    __slots__ = ()  # of the size that compiled modules know

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "Shifted":
        return cls.fromtimestamp(time.time(), tz)


if AHEAD:
    time.time = wrong
    # Its compiled classes inherit what they find there when it is imported: on `Shifted` that ends in a SIGSEGV.
    import pandas  # type: ignore[import-untyped]  # noqa: F401

    datetime.datetime = Shifted  # type: ignore[misc]
