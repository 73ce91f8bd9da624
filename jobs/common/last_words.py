"""A line for a run that ends without a word: killed, or by Ray's C++ side, as where its raylet is gone."""

import atexit
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import cache

LINE = "pubray: the run was killed, or Ray ended it, whose raylet had; what is finished is kept, run it again to go on"
TELLER = 'read -r _ || echo "$0" >&2'


@cache
def leave_last_words() -> Callable[[], None]:
    """Start what says the line when this process is gone; return what keeps it from that, as each usual end does."""
    teller = subprocess.Popen(["sh", "-c", TELLER, LINE], stdin=subprocess.PIPE, start_new_session=True)

    def dismiss() -> None:
        with suppress(OSError, ValueError):  # it is gone, or was dismissed
            teller.communicate(b"\n")

    atexit.register(dismiss)
    return dismiss
