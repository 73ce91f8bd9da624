"""Articles: the Arrow schema of an article part, one row per record of its source file, in file order.

A deletion is a row too (`deleted` true, everything else empty), so that one file holds all that its source
file says, in its order.
"""

from typing import NamedTuple

import pyarrow as pa

MESH_HEADING = pa.struct(
    [
        pa.field("descriptor", pa.string(), nullable=False),
        pa.field("major", pa.bool_(), nullable=False),
        pa.field(
            "qualifiers",
            pa.list_(
                pa.struct(
                    [
                        pa.field("name", pa.string(), nullable=False),
                        pa.field("major", pa.bool_(), nullable=False),
                    ]
                )
            ),
            nullable=False,
        ),
    ]
)
"""One MeSH heading. `major` of a descriptor is true only where NLM marks the bare descriptor as major topic."""

ARTICLE_SCHEMA = pa.schema(
    [
        # The key. A PMID, or for other corpora a key made from `doc_id` (see retrieval.articles.key_of).
        pa.field("pmid", pa.int64(), nullable=False),
        # The corpus's own id, where it is not the decimal PMID.
        pa.field("doc_id", pa.string()),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("deleted", pa.bool_(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        # Plain text; a structured abstract is one "LABEL: text" per line.
        pa.field("abstract", pa.string(), nullable=False),
        pa.field("journal", pa.string(), nullable=False),
        # ISO 8601, as precise as the source: "2021", "2021-06" or "2021-06-07".
        pa.field("publication_date", pa.string()),
        pa.field("year", pa.int16()),
        pa.field("publication_types", pa.list_(pa.string()), nullable=False),
        pa.field("mesh", pa.list_(MESH_HEADING), nullable=False),
        pa.field("languages", pa.list_(pa.string()), nullable=False),
        pa.field("doi", pa.string()),
        # 64 bits over (title, abstract): what a vector depends on.
        pa.field("text_hash", pa.uint64(), nullable=False),
        # 64 bits over everything above but `deleted`: what an answer depends on.
        pa.field("record_hash", pa.uint64(), nullable=False),
    ]
)


class DisplayArticle(NamedTuple):
    """What an answer shows of an article, and what a re-ranker reads."""

    pmid: int
    doc_id: str | None
    title: str
    abstract: str
    journal: str
    publication_date: str | None
    year: int | None
    doi: str | None
