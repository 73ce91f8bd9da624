"""NCBI's server is a host: it is told who asks, and not asked by everybody at the full hour."""

import random
import time
from importlib.metadata import version

from actors.fetch.downloader import Downloader
from jobs.common.console import log
from schemas.config import IngestConfig
from schemas.errors import UsageError

NCBI = "ncbi"
"""As a source: what their server has."""


def ncbi_guest(config: IngestConfig, option: str) -> Downloader:
    """Return what fetches from their server, after a short wait.

    Raises:
        UsageError: nobody says who asks; names the option that wants it.
    """
    if config.contact is None:
        raise UsageError(
            f"{option} {NCBI}: NCBI is told who asks, and nobody says; set ingest.contact to your e-mail address or URL"
        )
    time.sleep(random.uniform(0, config.jitter_seconds))
    agent = f"pubray/{version('pubray')} (+{config.contact})"
    return Downloader(on_retry=lambda line: log(f"download  {line}"), agent=agent)
