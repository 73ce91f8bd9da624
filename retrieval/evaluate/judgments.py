"""Queries and relevance judgments: from files, or from the MeSH headings of the indexed articles."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from retrieval.articles.article import key_of_id
from retrieval.index.segment import OpenSegment
from schemas.arrays import Pmids
from schemas.errors import InputError

BATCH = 4096
"""Articles whose headings are in memory at a time."""
MIN_RELEVANT = 10
"""Articles that a MeSH topic must have: with fewer, nDCG@10 could not reach 1."""
RELISH_GRADES = {"irrelevant": 0, "partial": 1, "relevant": 2}

Headings = tuple[str, Sequence[dict[str, Any]]]
"""An article's id, and its MeSH headings as in `schemas.article.MeshHeading`."""


class Judgments(NamedTuple):
    """What an evaluation goes by; articles are named as a hit's `id` names them."""

    queries: dict[str, str]
    """Query id → text, or of an article as query its id."""
    relevance: dict[str, dict[str, int]]
    """Query id → article → grade; 0 is not relevant."""
    judged: frozenset[str] | None
    """Articles that anybody judged at all; others are left out of a ranking. None: all were."""


def read_judgments(queries: Path, qrels: Path) -> Judgments:
    """Read the queries that have judgments, of two files in BEIR's or TREC's form.

    InputError for one that cannot be read, or of which a line is something else.
    """
    relevance = read_qrels(text_lines(qrels), str(qrels))
    texts = read_queries(text_lines(queries), str(queries))
    return Judgments({q: text for q, text in texts.items() if q in relevance}, relevance, None)


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file; InputError: it cannot be read, or is no UTF-8."""
    try:
        with path.open(encoding="utf-8") as file:
            yield from file
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name an existing file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); name a text file") from None


def read_queries(lines: Iterable[str], name: str) -> dict[str, str]:
    """Read BEIR's queries.jsonl: one {"_id", "text"} per line; InputError names the first that is something else."""
    queries = {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            queries[str(record["_id"])] = "" + record["text"]  # which refuses what is no text
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InputError(f'{name} line {number}: not {{"_id": …, "text": …}} but {line.strip()[:60]!r}') from None
    return queries


def read_qrels(lines: Iterable[str], name: str) -> dict[str, dict[str, int]]:
    """Read judgments: BEIR's tab-separated query, article, grade (with or without its header), or TREC's four columns.

    InputError names the first line that is something else.
    """
    relevance: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(lines, 1):
        words = line.split()
        if number == 1 and words[-1:] == ["score"]:
            continue
        try:
            query, article, grade = words if len(words) == 3 else (words[0], *words[2:])
            relevance[query][article] = int(grade)
        except (ValueError, IndexError):
            raise InputError(f"{name} line {number}: not 'query article grade' but {line.strip()[:60]!r}") from None
    return dict(relevance)


def read_article_judgments(path: Path) -> Judgments:
    """Read articles as queries: judgments whose query is an article, or RELISH_v1.json, known by the end of its name.

    The text of a query is the article's id. InputError as `read_judgments`.
    """
    if path.suffix == ".json":
        return read_relish("".join(text_lines(path)), str(path))
    relevance = read_qrels(text_lines(path), str(path))
    return Judgments({article: article for article in relevance}, relevance, None)


def read_relish(text: str, name: str) -> Judgments:
    """Read RELISH (Brown, RELISH Consortium and Zhou, Database 2019): in each entry a person judges for one article.

    An entry is a query: 78 articles were judged by several people, who do not agree. InputError names the first entry
    that is something else.
    """
    judgments = Judgments({}, {}, None)
    try:
        entries = list(json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{name}: no JSON list ({error}); name RELISH_v1.json, or judgments line by line") from None
    for number, entry in enumerate(entries, 1):
        try:
            query, kinds = str(entry["uid"]), entry["response"].items()
            judgments.queries[query] = str(entry["pmid"])
            judgments.relevance[query] = {str(pmid): RELISH_GRADES[kind] for kind, pmids in kinds for pmid in pmids}
        except (KeyError, TypeError, AttributeError):
            shown = json.dumps(entry)[:60]
            raise InputError(f'{name} entry {number}: not {{"uid", "pmid", "response"}} but {shown}') from None
    return judgments


def judged_pmids(qrels: Path) -> Pmids:
    """Return the keys of all articles of a file of judgments, sorted; InputError as `read_judgments`."""
    relevance = read_qrels(text_lines(qrels), str(qrels))
    return np.array(sorted({key_of_id(article) for of in relevance.values() for article in of}), np.int64)


def headings(segments: Sequence[OpenSegment]) -> Iterator[Headings]:
    """Yield the headings of the live articles of segments."""
    for segment in segments:
        columns = segment.articles.select(["pmid", "mesh"])
        for start in range(0, len(columns), BATCH):
            live = columns.slice(start, BATCH).filter(pa.array(segment.live[start : start + BATCH]))
            yield from zip(map(str, live["pmid"].to_pylist()), live["mesh"].to_pylist(), strict=True)


def mesh_topics(articles: Iterable[Headings], count: int, seed: int) -> Judgments:
    """Make topics of what NLM's indexers saw as the point of an article: a descriptor with a major qualifier.

    The query is "descriptor, qualifier"; relevant are the articles indexed with it. At most `count` topics of those
    with `MIN_RELEVANT` articles are drawn, the same for the same articles. Only articles with headings are judged.
    """
    relevant: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    judged = set()
    for article, mesh in articles:
        if mesh:
            judged.add(article)
        for heading in mesh:
            for qualifier in heading["qualifiers"]:
                if qualifier["major"]:
                    relevant[heading["descriptor"], qualifier["name"]][article] = 1
    topics = sorted(topic for topic, found in relevant.items() if len(found) >= MIN_RELEVANT)
    chosen = sorted(np.random.default_rng(seed).permutation(len(topics))[:count])
    names = {f"mesh-{i}": topics[i] for i in chosen}
    return Judgments(
        {name: ", ".join(topic) for name, topic in names.items()},
        {name: relevant[topic] for name, topic in names.items()},
        frozenset(judged),
    )
