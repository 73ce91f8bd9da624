"""What a night does when it has ended, whether well or not: it leaves its metrics, and tells who wants to know."""

import datetime
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from actors.store.stores import open_store
from jobs.common.console import log
from jobs.common.run_records import NIGHT, OUTCOMES, exit_code_of, runs
from jobs.common.run_reports import root_cause, why_of
from jobs.steps.night.notification import notify
from retrieval.files.atomic import write_file
from retrieval.operate.store_metrics import exposition, store_metrics
from schemas.config import Config
from schemas.errors import PubrayError, WriterError
from schemas.layout import Layout
from schemas.run import NightEnd

Night = TypeVar("Night", bound=Callable[..., Any])


def tells_its_end(run: Night) -> Night:
    """Let the `run` of a night tell how it ended, when it is the one who writes no more; nothing of that changes it."""

    @wraps(run)
    def told(config: Config, **options: Any) -> Any:
        begun, start = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S.%f}", time.monotonic()
        try:
            report = run(config, **options)
        except BaseException as error:
            cause = root_cause(error)
            if not isinstance(cause, WriterError):  # the other one tells how it ended
                _tell(config, begun, start, exit_code_of(cause), why_of(cause))
            raise
        _tell(config, begun, start, *(report.trouble or (0, None)))
        return report

    return cast("Night", told)


def _tell(config: Config, begun: str, start: float, code: int, why: str | None) -> None:
    seconds = time.monotonic() - start
    _try("metrics", lambda: _leave_metrics(config))
    if config.notify.url:
        _try("notify", lambda: notify(config.notify, _end(config, begun, seconds, code, why)))


def _try(what: str, action: Callable[[], None]) -> None:
    try:
        action()
    except Exception as error:  # whatever it is, the night has ended as it has
        said = str(error) if isinstance(error, PubrayError) else type(error).__name__
        log(f"{what:9} left out: {said}")


def _leave_metrics(config: Config) -> None:
    if config.night.metrics:
        text = exposition(store_metrics(open_store(config), config.index))
        write_file(str(Path(config.night.metrics).expanduser()), text.encode())


def _end(config: Config, begun: str, seconds: float, code: int, why: str | None) -> NightEnd:
    """Return what is told; begun: before the night was given its name, which begins with the time."""
    listed = None
    with suppress(PubrayError, OSError):  # of a store that cannot be read it is told that the night failed
        nights = (one for one in runs(open_store(config)).runs if one.job == NIGHT and one.run >= begun)
        listed = next(nights, None)
    return NightEnd(
        outcome=listed.outcome if listed else {0: "done", **OUTCOMES}.get(code, "failed"),
        exit_code=code,
        why=why,
        run=listed.run if listed else None,
        report=Layout.run_report(listed.run) if listed else None,
        store=config.store,
        version=listed.version if listed else None,
        seconds=seconds,
    )
