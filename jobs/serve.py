"""The CURRENT version behind HTTP, on Ray Serve; versions that are promoted later are served without a restart."""

import errno
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field
from ray import serve
from ray.serve.config import HTTPOptions, ProxyLocation

from actors.service.servable import check_servable
from actors.store.stores import open_store
from actors.web.middleware.front import key_digests
from jobs.common.cluster.joining import connect, is_private
from jobs.common.cluster.placement import SERVICE_WORK
from jobs.common.config import load_config
from jobs.common.console import log
from jobs.common.options import Option
from jobs.common.run_reports import root_cause
from jobs.common.store import served_version
from jobs.steps.serve.deployments import application
from schemas.base import Frozen
from schemas.config import Config, ServeConfig
from schemas.errors import StoreError, UsageError
from schemas.quality_report import ServeReport

APP = "pubray"
PORT = Option("port to listen at (default: serve.port)")
KEYS_VARIABLE = "PUBRAY_API_KEYS_SHA256"


def run(
    config: Config,
    *,
    host: Annotated[str | None, Option("address to listen at (default: serve.host)")] = None,
    port: Annotated[int | None, PORT] = None,
) -> ServeReport:
    """Serve until Ctrl-C; what `listening` and `deploy` raise is raised."""
    url = deploy(listening(config, host=host, port=port))
    log(f"serve     ready at {url}, described at {url}/openapi.json; Ctrl-C stops it")
    seconds = wait()
    shutdown()
    return ServeReport(url=url, seconds=round(seconds))


def show(report: ServeReport) -> str:
    return f"stopped {report.url} after {report.seconds} s"


def listening(config: Config, **options: str | int | None) -> Config:
    """Return the configuration with another `host` or `port`, where they are given.

    Raises:
        UsageError: there can be no such host or port.
    """
    return config.with_values(serve={name: value for name, value in options.items() if value is not None})


class ServeArguments(Frozen):
    """What `serve deploy`, `serve run` and a RayService give: `args` of their application."""

    config: str | None = None
    """As `pubray --config`."""
    overrides: tuple[str, ...] = Field((), alias="set")
    """As `pubray --set`."""


def app(arguments: ServeArguments) -> serve.Application:
    """Return the service as an application that Ray deploys by this path, `jobs.serve:app`.

    Its address and where its proxies run are Ray's to be told, not ours.

    Raises:
        UsageError: the configuration cannot be, or no node can hold what it asks for.
        StoreError: there is no CURRENT version, or it belongs to another encoder.
    """
    config = load_config(arguments.config, arguments.overrides, os.environ)
    version = served_version(open_store(config))
    check_servable(config, version)
    return application(config, version, load_key_digests(config.serve, os.environ))


def deploy(config: Config) -> str:
    """Start the service; return its URL when it is ready.

    Raises:
        UsageError: the port is in use, the host not this machine's, or an API key is given that is no digest.
        StoreError: there is no CURRENT version, or it belongs to another encoder.
    """
    version = served_version(open_store(config))
    check_servable(config, version)
    digests = load_key_digests(config.serve, os.environ)
    host, port = config.serve.host, config.serve.port
    check_port(host, port)
    connect(config, SERVICE_WORK)
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    location = ProxyLocation.HeadOnly if config.serve.proxies == "head" else ProxyLocation.EveryNode
    serve.start(proxy_location=location, http_options=HTTPOptions(host=host, port=port))
    try:
        serve.run(application(config, version, digests), name=APP, route_prefix="/")
    except RuntimeError as error:
        details = serve.status().applications[APP]
        failures = [d.message for d in details.deployments.values() if d.message] or [str(root_cause(error))]
        raise StoreError(f"the service does not start: {_last_line(failures[0])}") from error
    return f"http://{host}:{port}"


def load_key_digests(config: ServeConfig, environment: Mapping[str, str]) -> frozenset[str]:
    """Return the digests of serve.api_keys and of PUBRAY_API_KEYS_SHA256, comma-separated; none if neither is set.

    Raises:
        UsageError: the file cannot be read, or one that is set holds no digest, or something else.
    """
    digests: frozenset[str] = frozenset()
    if config.api_keys is not None:
        origin = f"serve.api_keys {config.api_keys}"
        try:
            lines = Path(config.api_keys).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{origin}: cannot be read: {getattr(error, 'strerror', 'not text')}") from None
        digests |= key_digests(lines, origin)
    if KEYS_VARIABLE in environment:
        digests |= key_digests(environment[KEYS_VARIABLE].split(","), KEYS_VARIABLE)
    return digests


def wait() -> float:
    """Return the seconds until Ctrl-C, or SIGTERM, which is how a cluster stops a container."""
    stopped = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stopped.set())
    start = time.monotonic()
    stopped.wait()
    return time.monotonic() - start


def shutdown() -> None:
    """Stop the service; requests in progress finish. On a private cluster the rest ends with this process."""
    serve.delete(APP)
    if not is_private():
        serve.shutdown()  # type: ignore[no-untyped-call]


def check_port(host: str, port: int) -> None:
    """Listen for a moment: what hinders it is known before anything is started.

    Raises:
        UsageError: nothing can listen there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no name of a host"
            elsewhere = isinstance(error, socket.gaierror | UnicodeError) or error.errno == errno.EADDRNOTAVAIL
            option = "--host" if elsewhere else "--port"
            raise UsageError(f"cannot listen at {host}:{port}: {reason}; choose another with {option}") from None


def _last_line(text: str) -> str:
    """Return the line of a traceback that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line.split(":")[0]), lines[-1])
