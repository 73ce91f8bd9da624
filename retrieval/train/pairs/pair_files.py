"""Pairs that somebody else has made, in the layouts of MedCPT, FlagEmbedding, BMRetriever, BiCA, tevatron and BEIR.

What a file names by PMID has its text from the store, or from MedCPT's `pmid2info`; what it has as text has a key of
that text. A query may have several positives: each is a pair.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, TypeVar

from pydantic import BeforeValidator, PositiveInt, TypeAdapter, ValidationError, model_validator

from retrieval.articles.article import key_of_id, text_hash
from retrieval.evaluate.judgments import read_judgments, text_lines
from schemas.base import Frozen, first_wrong, nearest_key
from schemas.errors import InputError
from schemas.protocols import ArticleText

Info = TypeVar("Info")
Texts = dict[int, ArticleText]
"""By key."""


class GivenPair(NamedTuple):
    """A query and an article that answers it."""

    query: str
    positive: int
    weight: float = 1.0
    negatives: tuple[int, ...] = ()
    instruction: str | None = None
    scores: tuple[float, ...] = ()
    """A teacher's of the positive, and of each negative; empty: the file has none."""


@dataclass
class GivenPairs:
    """What a file holds."""

    pairs: list[GivenPair] = field(default_factory=list)
    texts: Texts = field(default_factory=dict)
    """Of articles that are not in the store, or that the file has texts of."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Entries that make no pair, by reason."""

    def skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


class _Click(Frozen):
    """MedCPT's retriever/datasets/train.jsonl."""

    qid: str
    pmid: str
    click: PositiveInt


class _Ranked(Frozen):
    """MedCPT's reranker/datasets/train.json."""

    qid: str
    pos_pmids: Sequence[tuple[str, PositiveInt]]
    neg_pmids: Sequence[str]


def _several(value: object) -> object:
    """Return what may be one text, or a list of them, as a list."""
    return [value] if isinstance(value, str) else value


OneOrMore = Annotated[Sequence[str], BeforeValidator(_several)]


class _Triplet(Frozen):
    """BMRetriever's and BiCA's, in the spellings that there are."""

    query: str
    positive: OneOrMore
    negatives: OneOrMore = ()
    negative: OneOrMore = ()
    instruction: str | None = None
    prompt: str | None = None
    task: str | None = None


class _Flag(Frozen):
    """FlagEmbedding's: https://github.com/FlagOpen/FlagEmbedding (examples/finetune)."""

    query: str
    pos: OneOrMore
    neg: OneOrMore = ()
    pos_scores: Sequence[float] | None = None
    neg_scores: Sequence[float] | None = None
    prompt: str | None = None
    type: str | None = None

    @model_validator(mode="after")
    def _each_text_has_its_score(self) -> Self:
        for name, texts, scores in (("pos", self.pos, self.pos_scores), ("neg", self.neg, self.neg_scores)):
            if scores is not None and len(scores) != len(texts):
                raise ValueError(f"{name} has {len(texts)} texts and {name}_scores {len(scores)} numbers")
        return self


class _Passage(Frozen):
    docid: str
    title: str = ""
    text: str


class _Tevatron(Frozen):
    """https://github.com/texttron/tevatron (train data)."""

    query_id: str
    query: str
    positive_passages: Sequence[_Passage]
    negative_passages: Sequence[_Passage] = ()


MEDCPT_NEGATIVES = 32
"""Entries of MedCPT's re-ranker with fewer are left out, as by its authors."""


class PairReader:
    """Reads files of pairs."""

    def __init__(self, queries: Mapping[str, str], articles: Mapping[str, Sequence[str]]) -> None:
        """queries: texts by MedCPT's qid. articles: [title, abstract] by PMID; others are looked for in the store."""
        self._queries, self._articles = queries, articles
        self._found = GivenPairs()

    def read(self, path: Path) -> GivenPairs:
        """Read a file, or a folder of BEIR's.

        Raises:
            InputError: names the line, and the key in it, that is none of a known layout.
        """
        self._found = GivenPairs()
        if path.is_dir():
            self._read_beir(path)
            return self._found
        for place, record in _records(path):
            self._read_record(place, record)
        return self._found

    def _read_record(self, place: str, record: Any) -> None:
        kinds: dict[str, tuple[type[Frozen], Callable[[Any], None]]] = {
            "click": (_Click, self._click),
            "pos_pmids": (_Ranked, self._ranked),
            "positive_passages": (_Tevatron, self._tevatron),
            "positive": (_Triplet, self._triplet),
            "pos": (_Flag, self._flag),
        }
        known = [kinds[key] for key in kinds if isinstance(record, dict) and key in record]
        if not known:
            told = ", ".join(sorted(record)) if isinstance(record, dict) else f"{record!r:.40}"
            raise InputError(f"{place}: {told}: no layout of pairs that is known; see docs/training.md")
        model, read = known[0]
        try:
            read(model.model_validate(record))
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "extra_forbidden":
                key = str(first["loc"][0])
                raise InputError(
                    f"{place}: unknown key {key!r}; the nearest known one is {nearest_key(model, key)!r}"
                ) from None
            raise InputError(f"{place}: {first_wrong(error)}; correct it there") from None

    def _click(self, record: _Click) -> None:
        self._add(self._query(record.qid), self._article(record.pmid), math.log2(record.click + 1))

    def _ranked(self, record: _Ranked) -> None:
        if len(record.neg_pmids) < MEDCPT_NEGATIVES:
            self._found.skip(f"fewer than {MEDCPT_NEGATIVES} negatives")
            return
        negatives = tuple(self._article(pmid) for pmid in record.neg_pmids)
        for pmid, click in record.pos_pmids:
            self._add(self._query(record.qid), self._article(pmid), math.log2(click + 1), negatives)

    def _triplet(self, record: _Triplet) -> None:
        negatives = tuple(self._text("", of) for of in (*record.negatives, *record.negative))
        instruction = record.instruction or record.prompt or record.task
        for positive in record.positive:
            self._add(record.query, self._text("", positive), 1.0, negatives, instruction)

    def _flag(self, record: _Flag) -> None:
        negatives = tuple(self._text("", of) for of in record.neg)
        for number, positive in enumerate(record.pos):
            scores: tuple[float, ...] = ()
            if record.pos_scores is not None and record.neg_scores is not None:
                scores = (record.pos_scores[number], *record.neg_scores)
            self._add(record.query, self._text("", positive), 1.0, negatives, record.prompt, scores)

    def _tevatron(self, record: _Tevatron) -> None:
        negatives = tuple(self._text(of.title, of.text) for of in record.negative_passages)
        for passage in record.positive_passages:
            self._add(record.query, self._text(passage.title, passage.text), 1.0, negatives)

    def _read_beir(self, folder: Path) -> None:
        judgments = read_judgments(folder / "queries.jsonl", folder / "qrels" / "train.tsv")
        for query, text in judgments.queries.items():
            for article, grade in judgments.relevance[query].items():
                if grade > 0:
                    self._add(text, key_of_id(article), float(grade))

    def _add(
        self,
        query: str | None,
        positive: int,
        weight: float,
        negatives: tuple[int, ...] = (),
        instruction: str | None = None,
        scores: tuple[float, ...] = (),
    ) -> None:
        if query is None:
            self._found.skip("a query that qid2info does not have")
        elif not query.strip():
            self._found.skip("an empty query")
        else:
            self._found.pairs.append(GivenPair(query, positive, weight, negatives, instruction, scores))

    def _query(self, qid: str) -> str | None:
        return self._queries.get(qid)

    def _article(self, pmid: str) -> int:
        """Return the key of an article that is named."""
        key = key_of_id(pmid)
        if pmid in self._articles:
            self._found.texts[key] = ArticleText(*self._articles[pmid])
        return key

    def _text(self, title: str, text: str) -> int:
        """Return the key of a text."""
        key = key_of_id(f"text {text_hash(title, text):016x}")
        self._found.texts[key] = ArticleText(title, text)
        return key


def _records(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the records of a file of JSON, or of a record a line, each with its place."""
    content = "".join(text_lines(path))
    if content.lstrip().startswith("["):
        yield from ((f"{path} entry {number}", one) for number, one in enumerate(_parsed(content, str(path)), 1))
        return
    for number, line in enumerate(content.split("\n"), 1):  # other ends of lines are characters of a JSON text
        if line.strip():
            yield f"{path} line {number}", _parsed(line, f"{path} line {number}")


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{place}: not JSON but {text.strip()[:60]!r}; correct it there") from None


def read_queries_of(path: Path) -> dict[str, str]:
    """Read MedCPT's `qid2info`; InputError names the entry that is something else."""
    return _read(path, TypeAdapter(dict[str, str]))


def read_articles_of(path: Path) -> dict[str, tuple[str, str]]:
    """Read MedCPT's `pmid2info`, [title, abstract] by PMID; InputError names the entry that is something else."""
    return _read(path, TypeAdapter(dict[str, tuple[str, str]]))


def _read(path: Path, kind: TypeAdapter[Info]) -> Info:
    try:
        return kind.validate_json("".join(text_lines(path)))
    except ValidationError as error:
        raise InputError(f"{path}: {first_wrong(error)}; correct it there") from None
