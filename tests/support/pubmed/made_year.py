"""A made yearly re-issue of PubMed, after real files, from their records."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from itertools import chain, islice
from pathlib import Path

from retrieval.ingest.made_files import made_file, raw_records, revise_text, write_source_file
from retrieval.ingest.sources import source_name


def write_reissue(
    sources: Sequence[Path],
    folder: Path,
    year: int,
    *,
    without: Collection[int] = (),
    revised: Collection[int] = (),
    records_per_file: int = 30_000,
) -> list[Path]:
    """Write the baseline `pubmedYYn0001.xml.gz` … of a year (of two digits) from the records of `sources`.

    Of several records of a PMID the last one is taken. Those of `without` are left out; the texts of `revised` change.
    """
    last = {pmid: place for place, (pmid, _) in enumerate(_read_all(sources))}
    day = date(2000 + year, 1, 1)
    records = (
        revise_text(record, day) if pmid in revised else record
        for place, (pmid, record) in enumerate(_read_all(sources))
        if last[pmid] == place and pmid not in without
    )
    origin = ", ".join(source_name(source.name) for source in sources)
    paths: list[Path] = []
    for first in records:
        group = chain([first], islice(records, records_per_file - 1))
        paths.append(
            write_source_file(folder / f"pubmed{year:02d}n{len(paths) + 1:04d}.xml.gz", made_file(group, (), origin))
        )
    return paths


def _read_all(sources: Sequence[Path]) -> Iterator[tuple[int, bytes]]:
    return (found for source in sources for found in raw_records(source))
