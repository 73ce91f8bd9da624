"""What ends a run whatever it waits for: another has become the one who writes, or a deadline has passed."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

_asked: list[Exception] = []
"""Why what runs in this process is to end."""


@contextmanager
def broken_off_by(error: Exception) -> Iterator[Callable[[], None]]:
    """Give what raises an error here when another thread calls it, whatever is waited for; in a main thread alone.

    What is waited for ends as at Ctrl-C: of all that a signal can raise, this alone ends a call of Ray. SIGINT would
    not do: it is ignored in what a script has begun with `&`, and `interrupt_main` wakes nobody.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = signal.signal(signal.SIGUSR1, _interrupt)
    try:
        yield partial(break_off, error)
    except BaseException:
        if _asked:  # perhaps by who is around this: the innermost tells
            raise _asked[0] from None
        raise
    finally:
        signal.signal(signal.SIGUSR1, before)
        outermost = before is not _interrupt
        _asked[:] = [] if outermost else [other for other in _asked if other is not error]


def break_off(error: Exception) -> None:
    """Let an error end what a `broken_off_by` of the main thread is around, if there is one."""
    main = threading.main_thread().ident
    if main is not None and signal.getsignal(signal.SIGUSR1) is _interrupt:
        _asked.append(error)
        signal.pthread_kill(main, signal.SIGUSR1)


@contextmanager
def within(seconds: float, error: Exception) -> Iterator[None]:
    """Let an error end what is not done in time; in a main thread alone."""
    with broken_off_by(error) as stop:
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _interrupt(*_: object) -> None:
    if _asked:
        raise KeyboardInterrupt
