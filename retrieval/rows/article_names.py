"""Which article does a text name? By PMID or the corpus's own id, by DOI, by its whole title.

DOIs and titles are compared in their normal forms, and looked up by 64 bits of blake2b over these. A normal form of
nothing is hashed to `NO_NAME`, which is never looked up.
"""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.articles.article import key_of_id
from retrieval.articles.normal_text import normal_form
from retrieval.rows.row_order import Keys

NAME_CHARS = 1000
"""A longer text names nothing."""
NO_NAME = 0

_PMID = re.compile(r"(?:pmid:?\s*)?([1-9][0-9]{0,8})", re.IGNORECASE)
_DOI_PREFIX = r"(?:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)?"
_DOI = re.compile(rf"{_DOI_PREFIX}10\.[0-9]{{4,9}}/\S+", re.IGNORECASE)
_PREFIX = re.compile(_DOI_PREFIX)

# In ASCII, when a text in lower case and trimmed may be other than its normal form, for pyarrow's regular expressions.
_ODD_TITLE = r"[^\x20-\x7e]|  |[&<]"
_ODD_DOI = r"[^\x21-\x7e]|^[^1]"


class Name(NamedTuple):
    """One way to name an article."""

    kind: Literal["id", "doi", "title"]
    text: str
    """An id as it is, a DOI or a title in its normal form."""

    @property
    def key(self) -> int:
        """What it is looked up by: int64."""
        return key_of_id(self.text) if self.kind == "id" else _hashed([self.text.encode()]).item()


def parse_names(text: str) -> list[Name]:
    """Return what a query may name, in the order in which it is to be looked up; nothing for most long ones.

    "12345678" and "PMID: 12345678" are a PMID, of up to 9 digits; "10.1000/x", "doi:10.1000/x" and
    "https://doi.org/10.1000/x" are a DOI. Another text without white space may be a corpus's own id. Whatever is not a
    DOI may be a title.
    """
    text = text.strip()
    if not text or len(text) > NAME_CHARS:
        return []
    if _DOI.fullmatch(text):
        return [Name("doi", normal_doi(text))]
    if pmid := _PMID.fullmatch(text):
        ids = [Name("id", pmid[1])]
    else:
        ids = [] if len(text.split()) > 1 else [Name("id", text)]
    title = normal_form(text)
    return [*ids, Name("title", title)] if title else ids


def normal_doi(doi: str) -> str:
    """Return a DOI whatever its case, without "doi:" or the address of a resolver before it."""
    return _PREFIX.sub("", doi.strip().casefold(), count=1)


def title_hashes(titles: pa.Array) -> Keys:
    """Return the hash (n,) of each title: 1 µs each."""
    return _hashes(pc.ascii_trim(pc.ascii_lower(titles), " .[]"), titles, _ODD_TITLE, normal_form)


def doi_hashes(dois: pa.Array) -> Keys:
    """Return the hash (n,) of each DOI, null where there is none."""
    dois = dois.fill_null("")
    return _hashes(pc.ascii_lower(dois), dois, _ODD_DOI, normal_doi)


def _hashes(simple: pa.Array, texts: pa.Array, odd: str, normal: Callable[[str], str]) -> Keys:
    """Hash the normal forms of texts, which are `simple` unless this has something `odd`: in a quarter of the time."""
    mask = pc.match_substring_regex(simple, odd)
    others = pa.array([normal(text) for text in texts.filter(mask).to_pylist()], pa.string())
    forms = pc.replace_with_mask(simple, mask, others)
    hashes = _hashed(forms.cast(pa.binary()).to_pylist())
    hashes[pc.equal(forms, "").to_numpy(zero_copy_only=False)] = NO_NAME
    return hashes


def _hashed(forms: list[bytes]) -> Keys:
    digests = b"".join([blake2b(form, digest_size=8).digest() for form in forms])
    return np.frombuffer(digests, "<i8").astype(np.int64)
