"""The answers to the latest requests, each of one index version."""

from collections import OrderedDict

from schemas.search import SearchRequest, SearchResponse

Answers = tuple[SearchResponse, ...]

MAX_HITS = 100
"""Of a request whose answers are kept: some 300 kB."""


class AnswerCache:
    """Keeps the answers used last; those of a version that is served no more fall out by themselves."""

    def __init__(self, entries: int) -> None:
        """Keep so many requests; ten hits with their abstracts take some 30 kB."""
        self._entries = entries
        self._kept: OrderedDict[tuple[str, SearchRequest], Answers] = OrderedDict()

    def find(self, version: str, request: SearchRequest) -> Answers | None:
        answers = self._kept.get((version, request))
        if answers is not None:
            self._kept.move_to_end((version, request))
        return answers

    def keep(self, version: str, request: SearchRequest, answers: Answers) -> None:
        """Keep answers, unless they are many or lack their second stage; the one used longest ago makes room."""
        if sum(len(answer.hits) for answer in answers) > MAX_HITS or any(answer.degraded for answer in answers):
            return
        self._kept[version, request] = answers
        self._kept.move_to_end((version, request))
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
