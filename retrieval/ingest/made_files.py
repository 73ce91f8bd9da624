"""Made PubMed files, for tests and the demo: nights after real files, from their records.

Every made file says in a comment that it is made.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path

from isal.igzip import IGzipFile

from retrieval.files.atomic import atomic_path, write_bytes
from retrieval.ingest.made_records import (
    new_version,
    reissue,
    retract,
    revise_metadata,
    revise_text,
    version_and_pmid,
    with_pmid,
)
from retrieval.ingest.ncbi import md5_of
from retrieval.ingest.sources import source_name
from schemas.errors import InputError

BLOCK = 1 << 20
BEGIN, END = b"<PubmedArticle>", b"</PubmedArticle>"
HEAD = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2019//EN" \
"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_190101.dtd">
<!-- made by pubray from {origin}; not NLM's data -->
<PubmedArticleSet>
"""
Change = Callable[[bytes, date], bytes]


@dataclass(frozen=True)
class Night:
    """What one update file does, by PMID."""

    day: date
    """The DateRevised of its records."""
    added: Mapping[int, int] = field(default_factory=dict)
    """New PMID -> that of the record which it is made from."""
    revised_text: Collection[int] = ()
    revised_metadata: Collection[int] = ()
    retracted: Collection[int] = ()
    new_version: Collection[int] = ()
    reissued: Collection[int] = ()
    """Sent once more as they are; this adds a deleted one again."""
    deleted: Collection[int] = ()

    def changes(self) -> dict[int, list[Change]]:
        """Return what is made of records, by their PMIDs; one that is named twice is sent twice."""
        changes: dict[int, list[Change]] = defaultdict(list)
        for new, old in self.added.items():
            changes[old].append(partial(with_pmid, pmid=new))
        kinds: list[tuple[Change, Collection[int]]] = [
            (revise_text, self.revised_text),
            (revise_metadata, self.revised_metadata),
            (retract, self.retracted),
            (new_version, self.new_version),
            (reissue, self.reissued),
        ]
        for change, pmids in kinds:
            for pmid in pmids:
                changes[pmid].append(change)
        return changes


def raw_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the PMIDs and the bytes of a .gz file's records, in their order; memory is bounded by a record."""
    held = b""
    with IGzipFile(path, "rb") as stream:  # type: ignore[no-untyped-call]
        while block := stream.read(BLOCK):
            *whole, held = (held + block).split(END)
            for text in whole:
                record = text[text.index(BEGIN) :] + END
                yield version_and_pmid(record)[1], record


def write_night(source: Path, folder: Path, name: str, night: Night) -> Path:
    """Write the update file `name` (.xml.gz), made from the records of `source`, and its .md5; return its path.

    Raises:
        InputError: the night is about a record that the source does not have.
    """
    changes = night.changes()
    if lacking := set(changes) - {pmid for pmid, _ in raw_records(source)}:
        raise InputError(f"{source} holds no record of PMID {min(lacking)}; make the night from a file that does")
    records = (change(record, night.day) for pmid, record in raw_records(source) for change in changes.get(pmid, ()))
    return write_source_file(folder / name, made_file(records, night.deleted, source_name(source.name)))


def made_file(records: Iterable[bytes], deleted: Collection[int], origin: str) -> Iterator[bytes]:
    """Yield the lines of a PubMed file; `origin` names the files that the records were made from."""
    yield HEAD.format(origin=origin).encode()
    for record in records:
        yield b"  %b\n" % record
    if deleted:
        pmids = "".join(f'<PMID Version="1">{pmid}</PMID>\n' for pmid in deleted)
        yield f"  <DeleteCitation>\n{pmids}</DeleteCitation>\n".encode()
    yield b"</PubmedArticleSet>\n"


def write_source_file(path: Path, lines: Iterable[bytes]) -> Path:
    """Write a file and its md5; the same lines give the same bytes."""
    with atomic_path(str(path)) as temporary:
        with (
            temporary.open("wb") as file,
            IGzipFile("", "wb", fileobj=file, mtime=0) as stream,  # type: ignore[no-untyped-call]
        ):
            stream.writelines(lines)
        write_bytes(f"{path}.md5", f"MD5({path.name})= {md5_of(temporary)}\n".encode())
    return path
