"""Articles: a record of an article part, and the Arrow schema that follows from it, one row per record in file order.

A deletion is a row too (`deleted` true), and so is a record that cannot be used (`unusable` true): one file holds
all that its source file says about a PMID, in its order. What NLM does not say is null or an empty list.
The elements named are those of the PubMed DTD, https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd.
"""

from collections.abc import Sequence
from types import NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import pyarrow as pa

from schemas.base import Frozen

Int32 = Annotated[int, "int32"]
Int16 = Annotated[int, "int16"]
ARROW_TYPES = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), Int32: pa.int32(), Int16: pa.int16()}


class AbstractSection(NamedTuple):
    """AbstractText of a structured abstract."""

    label: str | None
    """The journal's heading."""
    category: str | None
    """NLM's (NlmCategory): BACKGROUND, OBJECTIVE, METHODS, RESULTS, CONCLUSIONS, UNASSIGNED."""
    text: str


class OtherAbstract(NamedTuple):
    """OtherAbstract: a translation, a summary for laymen, or the abstract of another body than the journal."""

    type: str | None
    language: str
    text: str


class Term(NamedTuple):
    """A term of a controlled vocabulary: names are changed by NLM, the `ui` stays."""

    ui: str | None
    name: str


class Qualifier(NamedTuple):
    """A MeSH qualifier (subheading) of a heading."""

    ui: str | None
    name: str
    major: bool


class MeshHeading(NamedTuple):
    """A MeSH heading. `major` of a descriptor is true only where NLM marks the bare descriptor as major topic."""

    ui: str | None
    descriptor: str
    major: bool
    qualifiers: Sequence[Qualifier]


class Substance(NamedTuple):
    """Chemical: `registry_number` is a UNII, CAS or EC number, "0" where there is none."""

    ui: str | None
    name: str
    registry_number: str | None


class Author(NamedTuple):
    """A person, or a group (`collective_name`). `orcid` is bare: 0000-0002-1825-0097."""

    last_name: str | None = None
    fore_name: str | None = None
    initials: str | None = None
    suffix: str | None = None
    collective_name: str | None = None
    orcid: str | None = None
    affiliations: Sequence[str] = ()


class Correction(NamedTuple):
    """CommentsCorrections: RefType (RetractionIn, ErratumIn, CommentOn, …) and the other article, if PubMed has it."""

    type: str | None
    pmid: int | None


class Article(NamedTuple):
    """One row of an article part without its hashes."""

    # The key. A PMID, or for other corpora a key made from `doc_id` (see retrieval.articles.article.key_of_id).
    pmid: int
    # The corpus's own id, where it is not the decimal PMID.
    doc_id: str | None = None
    version: Int32 = 1
    # A DeleteCitation: the row has a PMID and nothing else.
    deleted: bool = False
    # Neither title nor abstract: the record replaces earlier ones of its PMID, but is never alive itself.
    unusable: bool = False
    # A PubmedBookArticle: a book or a chapter on the NCBI Bookshelf; `journal` is then the title of the book.
    book: bool = False
    # ArticleTitle, else VernacularTitle. Text of inline markup is kept, the markup is not: kg/m2.
    title: str = ""
    # The title in the article's own language, where that is not English.
    vernacular_title: str | None = None
    # Abstract, else the first OtherAbstract in English. A structured abstract is one "LABEL: text" per line.
    abstract: str = ""
    # The same by section; empty where the abstract has no labels.
    abstract_sections: Sequence[AbstractSection] = ()
    other_abstracts: Sequence[OtherAbstract] = ()
    journal: str = ""
    # ISOAbbreviation, else MedlineTA.
    journal_abbreviation: str | None = None
    # That of the issue first, then ISSNLinking, which print and electronic issues share.
    issns: Sequence[str] = ()
    # NlmUniqueID: the journal whatever its title was.
    nlm_id: str | None = None
    volume: str | None = None
    issue: str | None = None
    pages: str | None = None
    # PubDate, else ArticleDate; of a book ContributionDate, else PubDate. ISO 8601 and as precise as the source:
    # "2021", "2021-06" or "2021-06-07". A season or a range ("1998 Dec-1999 Jan") is the year in which it begins.
    publication_date: str | None = None
    year: Int16 | None = None
    # ISO 639-2, as NLM writes them: eng, fre, ger.
    languages: Sequence[str] = ()
    publication_types: Sequence[Term] = ()
    mesh: Sequence[MeshHeading] = ()
    keywords: Sequence[str] = ()
    substances: Sequence[Substance] = ()
    # In their order; without those whose name NLM marks as an error (ValidYN="N").
    authors: Sequence[Author] = ()
    grant_agencies: Sequence[str] = ()
    # From the record's own ids, never from those of its references.
    doi: str | None = None
    pmcid: str | None = None
    corrections: Sequence[Correction] = ()
    # Publication type D016441 (Retracted Publication), RetractionIn or RetractedandRepublishedIn.
    retracted: bool = False
    # MEDLINE, PubMed-not-MEDLINE, In-Process, In-Data-Review, Publisher, OLDMEDLINE, Completed.
    status: str | None = None
    date_completed: str | None = None
    date_revised: str | None = None


def _arrow_type(kind: Any) -> pa.DataType:
    """Return the type of a column for values of a Python type: of a NamedTuple a struct, whose fields may be null."""
    if kind in ARROW_TYPES:
        return ARROW_TYPES[kind]
    if get_origin(kind) is Sequence:
        return pa.list_(_arrow_type(get_args(kind)[0]))
    if NoneType in get_args(kind):
        return _arrow_type(get_args(kind)[0])
    return pa.struct([pa.field(name, _arrow_type(of)) for name, of in kind.__annotations__.items()])


ARTICLE_SCHEMA = pa.schema(
    [
        *(pa.field(n, _arrow_type(of), nullable=NoneType in get_args(of)) for n, of in Article.__annotations__.items()),
        # 64 bits over (title, abstract): what a vector depends on.
        pa.field("text_hash", pa.uint64(), nullable=False),
        # 64 bits over everything above but `date_revised`: NLM re-issues records that say what they said before.
        pa.field("record_hash", pa.uint64(), nullable=False),
    ]
)


class RelatedArticle(Frozen):
    """An article that corrects another one, comments on it, retracts it, or is corrected by it: see `Correction`."""

    type: str | None
    pmid: int | None


class DisplayArticle(NamedTuple):
    """What an answer shows of an article, and what a re-ranker reads.

    To show one more column of an article, give it a line here, at the end, and a new format of segments that has it
    (`schemas.formats`). The API's field and what is read of a segment follow; where an item of a list is a struct,
    `Annotated` says which of its fields is shown, or what is made of them.
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
    corrections: Annotated[tuple[RelatedArticle, ...] | None, RelatedArticle] = None
    """None: not known, in segments of format 1."""

    @property
    def id(self) -> str:
        """The PMID, or the corpus's own id."""
        return self.doc_id or str(self.pmid)


ARTICLE_FIELDS = DisplayArticle._fields[2:]
"""What is shown of an article beside its id."""
