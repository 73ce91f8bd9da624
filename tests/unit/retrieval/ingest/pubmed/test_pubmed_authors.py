"""Authors read from their bytes and from their tree; the rest of their traps is in test_pubmed_record.py."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrieval.articles.article import Author
from retrieval.ingest.pubmed.pubmed_authors import authors_in, authors_of, plain_authors
from tests.support.pubmed_plain import XML, agrees

AFFILIATION = "<AffiliationInfo>\n<Affiliation>{}</Affiliation></AffiliationInfo>\n"
NAMES = "<LastName>Ħ</LastName><ForeName>A B</ForeName><Initials>AB</Initials><Suffix>Jr</Suffix>"
ORCID = '<Identifier Source="ORCID">https://orcid.org/0000000218250097</Identifier>'
PIECES = [
    *("<LastName>L</LastName>", "<ForeName>F</ForeName>", "<Initials/>", "<Suffix>2nd</Suffix>", ORCID, "text", "\n"),
    *("<CollectiveName>G <i>x</i></CollectiveName>", "<CollectiveName>H</CollectiveName>", "<LastName></LastName>"),
    *(AFFILIATION.format("a  b"), AFFILIATION.format("é &lt; <sup>1</sup>"), AFFILIATION.format("&#233;")),
    *('<Identifier Source="GRID">g</Identifier>', "<AffiliationInfo/>", "<x/>"),
]
AUTHORS = st.lists(
    st.tuples(
        st.sampled_from(
            ["", ' ValidYN="Y"', ' ValidYN="N"', ' ValidYN="Y" EqualContrib="Y"', ' EqualContrib="N"', " a='1'"]
        ),
        st.lists(st.sampled_from(PIECES), max_size=4),
    ),
    max_size=3,
).map(lambda people: "".join(f"<Author{start}>{''.join(pieces)}</Author>\n" for start, pieces in people).encode())


def test_what_nlm_writes_is_plain() -> None:
    xml = f'\n<Author ValidYN="Y">{NAMES}{ORCID}{AFFILIATION.format("X &amp; Y")}{AFFILIATION.format("Z")}</Author>\n'
    author = Author("Ħ", "A B", "AB", "Jr", None, "0000-0002-1825-0097", ["X & Y", "Z"])
    assert plain_authors(xml.encode()) == authors_of(xml.encode()) == [author]
    assert plain_authors(xml.replace('ValidYN="Y"', 'ValidYN="N"').encode()) == []


@settings(max_examples=1000)
@given(AUTHORS)
def test_authors_that_are_plain_are_those_of_their_tree(inner: bytes) -> None:
    agrees(plain_authors, authors_in, inner)


@settings(max_examples=500)
@given(XML)
@example(b"\r")
@pytest.mark.parametrize(
    "place", ["<LastName>@</LastName>", "<CollectiveName>@</CollectiveName>", AFFILIATION.format("@") * 2, "@"]
)
def test_texts_that_are_plain_are_those_of_their_tree(place: str, inner: bytes) -> None:
    agrees(plain_authors, authors_in, f"<Author>{place}</Author>".encode().replace(b"@", inner))
