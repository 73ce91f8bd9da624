"""What was promoted is served: a running service answers from it."""

import time
from collections.abc import Callable

from jobs.common.console import log
from jobs.common.service_client import ask, ask_version
from retrieval.evaluate.canaries import DEPTH, read_canaries
from schemas.config import Config
from schemas.errors import RequestError
from schemas.manifest import IndexVersion
from schemas.search import SearchRequest

POLL_SECONDS = 2.0


def why_not_served(
    config: Config,
    url: str,
    version: IndexVersion,
    *,
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str | None:
    """Ask a service until it answers from a version, `night.service_seconds` long, then its canaries.

    Returns:
        Why it does not, or does not find what the version finds; None: it does.
    """
    until, said = clock() + config.night.service_seconds, ""
    while (why := _why_another(url, version)) is not None:
        if clock() >= until:
            return why
        if why != said:
            log(f"serve     waiting: {why}")
            said = why
        pause(POLL_SECONDS)
    try:
        return _why_otherwise(config, url, version)
    except RequestError as error:
        return str(error)


def _why_another(url: str, version: IndexVersion) -> str | None:
    try:
        served = ask_version(url).version
    except RequestError as error:
        return str(error)
    return None if served == version.id else f"{url} answers from {served}"


def _why_otherwise(config: Config, url: str, version: IndexVersion) -> str | None:
    known = {canary.text: canary.found for canary in version.checks.canaries}
    for canary in read_canaries(config.index.canaries):
        wanted = set(canary.must_find).intersection(known.get(canary.text, ()))
        answer = ask(url, SearchRequest(query=canary.text, k=DEPTH, rerank=False, include_retracted=True))
        if lacking := wanted.difference(int(hit.id) for hit in answer.hits if hit.id.isdecimal()):
            return f"{url} does not find PMID {min(lacking)} by {canary.text!r}, as version {version.id} does"
    return None
