"""Made nights by the kinds of their changes, with two that the demo does not need: new articles and new versions."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from functools import partial

from retrieval.ingest.made_files import (
    Change,
    Night,
    mark_texts,
    reissue,
    retract,
    revise_metadata,
    revise_text,
)

_PMID = re.compile(rb'<PMID Version="(\d+)">(\d+)</PMID>')
_OWN_IDS = re.compile(rb"<ArticleIdList>.*?</ArticleIdList>", re.DOTALL)
_LOCATION = re.compile(rb'(<ELocationID [^>]*ValidYN=")Y"')


def made_night(
    day: date,
    added: Mapping[int, int] | None = None,
    revised_text: Collection[int] = (),
    revised_metadata: Collection[int] = (),
    retracted: Collection[int] = (),
    new_versions: Collection[int] = (),
    reissued: Collection[int] = (),
    deleted: Collection[int] = (),
) -> Night:
    """Return a night by PMIDs; one that is named twice is sent twice.

    added: new PMID -> that of the record which it is made from.
    """
    changes: dict[int, list[Change]] = defaultdict(list)
    for new, old in (added or {}).items():
        changes[old].append(partial(with_pmid, pmid=new))
    kinds: list[tuple[Change, Collection[int]]] = [
        (revise_text, revised_text),
        (revise_metadata, revised_metadata),
        (retract, retracted),
        (new_version, new_versions),
        (reissue, reissued),
    ]
    for change, pmids in kinds:
        for pmid in pmids:
            changes[pmid].append(change)
    return Night(day, changes, deleted)


def version_and_pmid(record: bytes) -> tuple[int, int]:
    """Return the version and the PMID; they come first in a record."""
    match = _PMID.search(record)
    assert match, record[:200]
    return int(match[1]), int(match[2])


def new_version(record: bytes, day: date) -> bytes:
    """Raise the version of the PMID by one."""
    version, pmid = version_and_pmid(record)
    return _with_key(reissue(record, day), version + 1, pmid)


def with_pmid(record: bytes, day: date, pmid: int) -> bytes:
    """Make the record of another article of it, which has no valid identifier but its PMID."""
    _, old = version_and_pmid(record)
    record = mark_texts(_with_key(reissue(record, day), 1, pmid), f"[made from {old}] ")
    ids = f'<ArticleIdList><ArticleId IdType="pubmed">{pmid}</ArticleId></ArticleIdList>'
    return _LOCATION.sub(rb'\1N"', _OWN_IDS.sub(ids.encode(), record, count=1))


def _with_key(record: bytes, version: int, pmid: int) -> bytes:
    return _PMID.sub(b'<PMID Version="%d">%d</PMID>' % (version, pmid), record, count=1)
