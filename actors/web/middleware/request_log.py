"""One log line per request, under an id that the client sees too. Queries are not logged unless that is asked for."""

import ipaddress
import json
import logging
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TextIO

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.web.middleware.problems import problem
from actors.web.middleware.request_facts import RequestFacts, request_under_way

LOG = logging.getLogger("pubray.requests")
ID_HEADER = "x-request-id"
PROBES = {"/health", "/healthz", "/readyz", "/metrics"}
"""Asked every few seconds by machines: logged as DEBUG."""
CLIENT_GONE = 499
"""The status that is logged where the client did not wait for one."""


class RequestLog:
    """ASGI middleware: gives each request its id, logs its end, and answers for what crashes inside."""

    def __init__(self, app: ASGIApp, *, queries: bool = False, tell_id: bool = True) -> None:
        """`queries`: log their text. `tell_id`: in a header of the response; not where the server in front does so."""
        self._app, self._queries, self._tell_id = app, queries, tell_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with request_under_way(Headers(scope=scope).get(ID_HEADER), scope["path"]) as facts:
            await self._answer(facts, scope, receive, send)

    async def _answer(self, facts: RequestFacts, scope: Scope, receive: Receive, send: Send) -> None:
        start, status = time.perf_counter(), 0

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._tell_id:
                    MutableHeaders(scope=message)[ID_HEADER] = facts.id
            await send(message)

        try:
            await self._app(scope, receive, answered)
        except Exception:
            LOG.exception("crashed", extra={"fields": {"id": facts.id}})
            if status:
                raise
            crash = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log has the reason")
            await crash(scope, receive, answered)
        finally:
            self._log(facts, scope, status or CLIENT_GONE, round((time.perf_counter() - start) * 1000, 2))

    def _log(self, facts: RequestFacts, scope: Scope, status: int, milliseconds: float) -> None:
        level = logging.DEBUG if facts.path in PROBES else logging.INFO
        if not LOG.isEnabledFor(level):
            return
        fields = {
            "id": facts.id,
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path_format", None),
            "status": status,
            "milliseconds": milliseconds,
            "client": _network(scope),
            **facts.noted,
        }
        if not self._queries:
            fields.pop("query", None)
        LOG.log(level, "request", extra={"fields": fields})


def _network(scope: MutableMapping[str, Any]) -> str | None:
    """Return the client's address without what tells it from its neighbours: of IPv4 a /24, of IPv6 a /48."""
    try:
        address = ipaddress.ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return None
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


class JsonFormatter(logging.Formatter):
    """Writes one line of JSON: time, level, logger, message, the record's `fields`, and a traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to(stream: TextIO) -> None:
    """Let what this project logs, from INFO on, go to a stream, and nowhere else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("pubray")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
