"""PubMed as NCBI distributes it: listings of two folders, and beside every file its md5.

A baseline appears once a year, numbered from 1, and its updates count on from there
(https://ftp.ncbi.nlm.nih.gov/pubmed/baseline/README.txt).
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from retrieval.ingest.sources import source_order
from schemas.errors import InputError

NAMED = 5
"""So many missing files are named in an error."""

_NAME = r"pubmed\d\dn\d{4,}\.xml\.gz"
_END = re.compile(r"</(pre|table|ul|html)>", re.IGNORECASE)
_OPENSSL = re.compile(r"MD5\s*\((?P<name>[^)]+)\)\s*=\s*(?P<md5>[0-9a-fA-F]{32})")
_COREUTILS = re.compile(r"(?P<md5>[0-9a-fA-F]{32})\s+\*?(?P<name>\S+)")


def parse_listing(html: str) -> list[str]:
    """Return the names `pubmedYYnNNNN.xml.gz` that a folder's page links to (see `listed`), by (yy, number)."""
    return sorted(listed(html, _NAME), key=source_order)


def listed(html: str, names: str) -> set[str]:
    """Return the names that a folder's page links to and that match a regular expression without groups.

    html: as Apache (mod_autoindex) writes it.

    Raises:
        InputError: the page breaks off before the end of its list, or is no listing.
    """
    if not _END.search(html):
        raise InputError(f"a listing of {len(html):,} characters that does not end; ask for it again")
    return set(re.findall(rf"""(?i:href)\s*=\s*["']?({names})["'\s>]""", html))


def check_baseline(names: Collection[str]) -> None:
    """Check that file names or source names are a whole baseline: of one year, and all numbers from 1.

    That the highest numbers are missing does not show; `updates_after` finds it where there are updates.

    Raises:
        InputError: names what is missing, or does not belong to it.
    """
    if not names:
        raise InputError("a baseline without files; name the folder that holds pubmedYYn0001.xml.gz and those after it")
    found = {_year_number(name) for name in names}
    if len(years := sorted({year for year, _ in found})) > 1:
        both = " and ".join(f"{year:02d}" for year in years)
        raise InputError(f"a baseline of the years {both} at once; it is being replaced, or keep one year's files")
    missing = sorted(set(range(1, max(number for _, number in found) + 1)) - {number for _, number in found})
    if missing:
        first = ", ".join(f"pubmed{years[0]:02d}n{number:04d}" for number in missing[:NAMED])
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise InputError(f"the baseline lacks {first}{more}; it is usable only when whole")


def updates_after(baseline: Collection[str], updates: Iterable[str]) -> list[str]:
    """Return the updates of a baseline, in order: those of its year with higher numbers.

    The folder of updates still holds last year's while a new baseline appears.

    Raises:
        InputError: they do not count on from the baseline's last number, so the baseline is not all there.
    """
    last = max(baseline, key=source_order)
    year, number = _year_number(last)
    ours = sorted((n for n in updates if _year_number(n)[0] == year and _year_number(n)[1] > number), key=source_order)
    if ours and _year_number(ours[0])[1] != number + 1:
        raise InputError(f"the baseline ends with {last}, its updates start with {ours[0]}; files between are missing")
    return ours


def parse_md5(text: str, name: str) -> str:
    """Return the md5 of the file `name`, 32 lower case hex digits, from the text of `<name>.md5`.

    It is written as `MD5(name)= hex` or as `hex  name`.

    Raises:
        InputError: it is neither, or another file's.
    """
    line = text.strip()
    match = _OPENSSL.fullmatch(line) or _COREUTILS.fullmatch(line)
    if not match:
        raise InputError(f"{name}.md5 holds {line[:80]!r}, not 'MD5({name})= <hex>'; get it again")
    if match["name"] != name:
        raise InputError(f"{name}.md5 is that of {match['name']}; get it again")
    return match["md5"].lower()


def md5_of(path: Path) -> str:
    """Return the md5 of a file, 32 lower case hex digits; not for security, it is what NCBI gives."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def check_md5(path: Path, md5_text: str) -> None:
    """Check a file against the text of its `.md5`; InputError names one that is not what was published."""
    wanted, found = parse_md5(md5_text, path.name), md5_of(path)
    if found != wanted:
        raise InputError(f"{path}: md5 {found}, published is {wanted}; download it again")


def _year_number(name: str) -> tuple[int, int]:
    kind, year, number, _ = source_order(name)
    if kind != 0:
        raise InputError(f"{name} is no PubMed file by its name; files are called pubmedYYnNNNN.xml.gz")
    return year, number
