"""The search page at `/`: HTML from the server, which needs no JavaScript, and its static files."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.exceptions import HTTPException
from starlette.responses import Response

from actors.service.search_service import SearchService
from actors.web.middleware.limits import within
from actors.web.middleware.problems import retry_after, status_of
from actors.web.middleware.request_facts import note
from actors.web.page.page_address import AskedSearch, read_address
from actors.web.page.page_view import ABSTRACTS, View, answered, failed, read_form
from schemas.errors import PubrayError
from schemas.search import MAX_QUERY_CHARS, SearchResponse

WEB = Path(__file__).parent / "assets"
MEDIA_TYPES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
OWN_FILES = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}
# What was asked for stays between a reader and the service.
UNKEPT = {"cache-control": "no-cache, private"}
FOR_A_YEAR = {"cache-control": "public, max-age=31536000, immutable"}
CHECKED = {"cache-control": "no-cache"}


def add_page(app: FastAPI, service: SearchService, seconds: float) -> None:
    """Add the page to an application, whose requests may take so long."""
    files = {name: (WEB / name).read_bytes() for name in MEDIA_TYPES}
    # Of each its version, and its ETag.
    digests = {name: hashlib.sha256(content).hexdigest()[:16] for name, content in files.items()}
    template = page_template({name: f"static/{name}?v={digest}" for name, digest in digests.items()})

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        view = await _view(request, service, seconds)
        headers = OWN_FILES | UNKEPT | retry_after(view.status)
        return HTMLResponse(template.render(view=view), view.status, headers)

    @app.api_route("/static/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def static(name: str, request: Request, v: str = "") -> Response:
        if name not in files:
            raise HTTPException(HTTPStatus.NOT_FOUND, "the page has no such file")
        etag = f'"{digests[name]}"'
        headers = OWN_FILES | {"etag": etag} | (FOR_A_YEAR if v == digests[name] else CHECKED)
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(files[name], headers=headers, media_type=MEDIA_TYPES[name])


def page_template(addresses: Mapping[str, str]) -> Template:
    """Return the template, which is to be given a `View`; `addresses` are those of the static files."""
    environment = Environment(
        loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(static=addresses, abstracts=ABSTRACTS, max_query_chars=MAX_QUERY_CHARS)
    return environment.get_template("page.html")


async def _view(request: Request, service: SearchService, seconds: float) -> View:
    form, info = read_form(request.query_params), service.version()
    asked, wrong = read_address(request.query_params)
    if wrong:
        return View(form, info, HTTPStatus.UNPROCESSABLE_ENTITY, wrong=wrong)
    if asked is None:
        return View(form, info)
    try:
        response = await within(seconds, _answer(service, asked))
    except PubrayError as error:
        status = status_of(error)
        if status is None:
            raise
        return failed(asked, form, info, status, str(error))
    return answered(asked, form, info, response)


async def _answer(service: SearchService, asked: AskedSearch) -> SearchResponse:
    if asked.similar:
        response = await service.similar(asked.request.queries[0], asked.request)
    else:
        note(query=asked.request.query)
        [response] = await service.search(asked.request)
    note(version=response.version, stages=response.milliseconds)
    return response
