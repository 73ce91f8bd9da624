"""Articles: the Arrow schema of an article part, one row per record of its source file, in file order.

A deletion is a row too (`deleted` true), and so is a record that cannot be used (`unusable` true): one file holds
all that its source file says about a PMID, in its order. What NLM does not say is null or an empty list.
The elements named are those of the PubMed DTD, https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd.
"""

from typing import Annotated, NamedTuple

import pyarrow as pa


def _struct(**fields: pa.DataType) -> pa.StructType:
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])


ABSTRACT_SECTION = _struct(label=pa.string(), category=pa.string(), text=pa.string())
"""AbstractText of a structured abstract. `label` is the journal's heading, `category` NLM's (NlmCategory: BACKGROUND,
OBJECTIVE, METHODS, RESULTS, CONCLUSIONS, UNASSIGNED)."""

OTHER_ABSTRACT = _struct(type=pa.string(), language=pa.string(), text=pa.string())
"""OtherAbstract: a translation, a summary for laymen, or the abstract of another body than the journal."""

TERM = _struct(ui=pa.string(), name=pa.string())
"""A term of a controlled vocabulary: names are changed by NLM, the `ui` stays."""

QUALIFIER = _struct(ui=pa.string(), name=pa.string(), major=pa.bool_())

MESH_HEADING = _struct(ui=pa.string(), descriptor=pa.string(), major=pa.bool_(), qualifiers=pa.list_(QUALIFIER))
"""One MeSH heading. `major` of a descriptor is true only where NLM marks the bare descriptor as major topic."""

SUBSTANCE = _struct(ui=pa.string(), name=pa.string(), registry_number=pa.string())
"""Chemical: `registry_number` is a UNII, CAS or EC number, "0" where there is none."""

AUTHOR = _struct(
    last_name=pa.string(),
    fore_name=pa.string(),
    initials=pa.string(),
    suffix=pa.string(),
    collective_name=pa.string(),
    orcid=pa.string(),
    affiliations=pa.list_(pa.string()),
)
"""A person, or a group (`collective_name`). `orcid` is bare: 0000-0002-1825-0097."""

CORRECTION = _struct(type=pa.string(), pmid=pa.int64())
"""CommentsCorrections: RefType (RetractionIn, ErratumIn, CommentOn, …) and the other article, where PubMed has it."""

ARTICLE_SCHEMA = pa.schema(
    [
        # The key. A PMID, or for other corpora a key made from `doc_id` (see retrieval.articles.article.key_of_id).
        pa.field("pmid", pa.int64(), nullable=False),
        # The corpus's own id, where it is not the decimal PMID.
        pa.field("doc_id", pa.string()),
        pa.field("version", pa.int32(), nullable=False),
        # A DeleteCitation: the row has a PMID and nothing else.
        pa.field("deleted", pa.bool_(), nullable=False),
        # Neither title nor abstract: the record replaces earlier ones of its PMID, but is never alive itself.
        pa.field("unusable", pa.bool_(), nullable=False),
        # A PubmedBookArticle: a book or a chapter on the NCBI Bookshelf; `journal` is then the title of the book.
        pa.field("book", pa.bool_(), nullable=False),
        # ArticleTitle, else VernacularTitle. Text of inline markup is kept, the markup is not: kg/m2.
        pa.field("title", pa.string(), nullable=False),
        # The title in the article's own language, where that is not English.
        pa.field("vernacular_title", pa.string()),
        # Abstract, else the first OtherAbstract in English. A structured abstract is one "LABEL: text" per line.
        pa.field("abstract", pa.string(), nullable=False),
        # The same by section; empty where the abstract has no labels.
        pa.field("abstract_sections", pa.list_(ABSTRACT_SECTION), nullable=False),
        pa.field("other_abstracts", pa.list_(OTHER_ABSTRACT), nullable=False),
        pa.field("journal", pa.string(), nullable=False),
        # ISOAbbreviation, else MedlineTA.
        pa.field("journal_abbreviation", pa.string()),
        # That of the issue first, then ISSNLinking, which print and electronic issues share.
        pa.field("issns", pa.list_(pa.string()), nullable=False),
        # NlmUniqueID: the journal whatever its title was.
        pa.field("nlm_id", pa.string()),
        pa.field("volume", pa.string()),
        pa.field("issue", pa.string()),
        pa.field("pages", pa.string()),
        # PubDate, else ArticleDate; of a book ContributionDate, else PubDate. ISO 8601 and as precise as the source:
        # "2021", "2021-06" or "2021-06-07". A season or a range ("1998 Dec-1999 Jan") is the year in which it begins.
        pa.field("publication_date", pa.string()),
        pa.field("year", pa.int16()),
        # ISO 639-2, as NLM writes them: eng, fre, ger.
        pa.field("languages", pa.list_(pa.string()), nullable=False),
        pa.field("publication_types", pa.list_(TERM), nullable=False),
        pa.field("mesh", pa.list_(MESH_HEADING), nullable=False),
        pa.field("keywords", pa.list_(pa.string()), nullable=False),
        pa.field("substances", pa.list_(SUBSTANCE), nullable=False),
        # In their order; without those whose name NLM marks as an error (ValidYN="N").
        pa.field("authors", pa.list_(AUTHOR), nullable=False),
        pa.field("grant_agencies", pa.list_(pa.string()), nullable=False),
        # From the record's own ids, never from those of its references.
        pa.field("doi", pa.string()),
        pa.field("pmcid", pa.string()),
        pa.field("corrections", pa.list_(CORRECTION), nullable=False),
        # Publication type D016441 (Retracted Publication), RetractionIn or RetractedandRepublishedIn.
        pa.field("retracted", pa.bool_(), nullable=False),
        # MEDLINE, PubMed-not-MEDLINE, In-Process, In-Data-Review, Publisher, OLDMEDLINE, Completed.
        pa.field("status", pa.string()),
        pa.field("date_completed", pa.string()),
        pa.field("date_revised", pa.string()),
        # 64 bits over (title, abstract): what a vector depends on.
        pa.field("text_hash", pa.uint64(), nullable=False),
        # 64 bits over everything above but `date_revised`: NLM re-issues records that say what they said before.
        pa.field("record_hash", pa.uint64(), nullable=False),
    ]
)


class DisplayArticle(NamedTuple):
    """What an answer shows of an article, and what a re-ranker reads.

    To show one more column of an article, give it a line here, at the end. The API's field, what a segment stores and
    what is read of that follow; where an item of a list is a struct, `Annotated` says which of its fields is shown.
    """

    pmid: int
    doc_id: str | None = None
    title: str = ""
    abstract: str = ""
    authors: tuple[str, ...] = ()
    """In their order, as NLM cites them: Lovelace AK; a group by its name."""
    journal: str = ""
    publication_date: str | None = None
    year: int | None = None
    doi: str | None = None
    retracted: bool = False
    publication_types: Annotated[tuple[str, ...], "name"] = ()
    mesh: Annotated[tuple[str, ...], "descriptor"] = ()
    languages: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The PMID, or the corpus's own id."""
        return self.doc_id or str(self.pmid)


ARTICLE_FIELDS = DisplayArticle._fields[2:]
"""What is shown of an article beside its id."""
