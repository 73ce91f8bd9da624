"""A reader of the page: a browser without JavaScript, in process."""

from functools import cache
from typing import Any, cast
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI
from lxml import etree, html

from actors.search.served_versions import ServedVersions
from actors.service.search_service import SearchService
from actors.service.second_stage import Reranking
from actors.web.api import create_app
from tests.support.service.catalogue import Catalogue, Words
from tests.support.service.seams import SECONDS, VERSION
from tests.support.service.serving import ask


def service(catalogue: Catalogue | None = None, reranker: Any = None) -> SearchService:
    ranking = Reranking(reranker, "favours", "logit", 5, SECONDS) if reranker else None
    return SearchService(ServedVersions(VERSION), Words(), catalogue or Catalogue(), ranking)


SERVICE = service()


@cache
def app(of: SearchService) -> FastAPI:
    return create_app(of, SECONDS)


def get(path: str, of: SearchService = SERVICE, method: str = "GET", **request: Any) -> httpx.Response:
    return ask(app(of), method, path, **request)


def squeezed(element: etree._Element) -> str:
    return " ".join(str(element.xpath("string()")).split())


class Page:
    """What a reader sees of an answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status, self.answer = answer.status_code, answer
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.root = html.fromstring(answer.text)

    def elements(self, path: str) -> list[etree._Element]:
        return cast("list[etree._Element]", self.root.xpath(path))

    def values(self, path: str) -> list[str]:
        return [str(value) for value in cast("list[str]", self.root.xpath(path))]

    def texts(self, path: str) -> list[str]:
        return [squeezed(element) for element in self.elements(path)]

    def text(self, path: str) -> str:
        [text] = self.texts(path)
        return text

    def links(self, text: str) -> list[str]:
        return [str(a.get("href")) for a in self.root.iter("a") if squeezed(a) == text]

    @property
    def titles(self) -> list[str]:
        return self.texts("//h2")


def page(of: SearchService = SERVICE, /, **parameters: Any) -> Page:
    return Page(get(f"/?{urlencode(parameters, doseq=True)}", of))


def follow(link: str, of: SearchService = SERVICE) -> Page:
    return Page(get(link.removeprefix("."), of))
