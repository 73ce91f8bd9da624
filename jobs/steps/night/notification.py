"""A webhook is told how a night has ended."""

import html
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx

from jobs.common.console import log
from schemas.config import NotifyConfig
from schemas.run import NightEnd

PAUSES = (1.0, 5.0, 25.0)
"""Seconds before each of the tries after the first."""
SECONDS = 10.0
"""An answer may take."""


def notify(config: NotifyConfig, end: NightEnd, *, pause: Callable[[float], object] = time.sleep) -> None:
    """Tell how a night has ended, if it is to be told; a line is logged where nobody takes it."""
    if config.url is None or end.outcome not in config.on:
        return
    url = httpx.URL(config.url.get_secret_value())
    body = end.model_dump() if config.format == "json" else {"text": _text(end)}
    why = _why_not_taken(url, body)
    for seconds in PAUSES:
        if why is None:
            return
        pause(seconds)
        why = _why_not_taken(url, body)
    if why is not None:
        log(f"notify    {url.host} {why}; it is not told that the night ended: {end.outcome}")


def _why_not_taken(url: httpx.URL, body: dict[str, Any]) -> str | None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole URLs otherwise, and this one is a secret
    try:
        answer = httpx.post(url, json=body, timeout=SECONDS)
    except httpx.HTTPError as error:
        return f"does not answer ({type(error).__name__})"
    return None if answer.is_success else f"answers {answer.status_code}"


def _text(end: NightEnd) -> str:
    """Return what people are told, as Slack and its like want it spelt."""
    head = f"pubray nightly: {end.outcome} (exit {end.exit_code}) after {end.seconds:,.0f} s"
    lines = [head, end.why, f"store {end.store}", f"report {end.report}" if end.report else None]
    return html.escape("\n".join(line for line in lines if line), quote=False)
