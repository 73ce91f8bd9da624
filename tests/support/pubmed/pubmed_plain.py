"""A record as NLM writes it, and what may be wrong or odd in one."""

from hypothesis import strategies as st
from lxml import etree

from retrieval.ingest.pubmed.plain_record import plain_article
from retrieval.ingest.pubmed.tree_record import tree_article

PLAIN = """<PubmedArticle>
  <MedlineCitation Status="MEDLINE" Owner="NLM">
    <PMID Version="1">413934</PMID>
    <DateCompleted><Year>1978</Year><Month>03</Month><Day>21</Day></DateCompleted>
    <DateRevised><Year>2013</Year></DateRevised>
    <Article PubModel="Print">
      <Journal><ISSN IssnType="Print">0360-4012</ISSN><JournalIssue CitedMedium="Print"><Volume>3</Volume>
        <PubDate><Year>1977</Year></PubDate></JournalIssue><Title>J neuro</Title></Journal>
      <ArticleTitle>Effects of <i>C. sativa</i> &amp; more, p &lt; 5.</ArticleTitle>
      <Pagination><MedlinePgn>87-93</MedlinePgn></Pagination>
      <ELocationID EIdType="doi" ValidYN="Y">10.1/e</ELocationID>
      <Abstract>
        <AbstractText Label="AIM" NlmCategory="OBJECTIVE">É 5\u2009kg/m<sup>2</sup>.</AbstractText>
        <AbstractText>Plain  text.</AbstractText>
        <CopyrightInformation>© 2020</CopyrightInformation>
      </Abstract>
      <AuthorList CompleteYN="Y">
        <Author ValidYN="Y"><LastName>Ħarper</LastName><ForeName>J W</ForeName><Initials>JW</Initials>
          <Suffix>Jr</Suffix><Identifier Source="ORCID">0000-0002-1825-0097</Identifier>
          <AffiliationInfo><Affiliation>A &amp; B</Affiliation></AffiliationInfo>
          <AffiliationInfo><Affiliation>C</Affiliation></AffiliationInfo></Author>
        <Author ValidYN="N"><CollectiveName>Group</CollectiveName></Author>
      </AuthorList>
      <Language>eng</Language>
      <GrantList CompleteYN="Y"><Grant><Agency>NIH</Agency></Grant></GrantList>
      <PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList>
      <VernacularTitle>Effets</VernacularTitle>
      <ArticleDate DateType="Electronic"><Year>1976</Year></ArticleDate>
    </Article>
    <MedlineJournalInfo><MedlineTA>J Neuro</MedlineTA><NlmUniqueID>76</NlmUniqueID></MedlineJournalInfo>
    <ChemicalList>
      <Chemical><RegistryNumber>7J8</RegistryNumber><NameOfSubstance UI="D0">Dro</NameOfSubstance></Chemical>
    </ChemicalList>
    <CitationSubset>IM</CitationSubset>
    <CommentsCorrectionsList><CommentsCorrections RefType="CommentIn"><PMID Version="1">9</PMID></CommentsCorrections>
    </CommentsCorrectionsList>
    <MeshHeadingList>
      <MeshHeading><DescriptorName UI="D1" MajorTopicYN="N">Brain</DescriptorName>
        <QualifierName UI="Q1" MajorTopicYN="Y">drug effects</QualifierName></MeshHeading>
      <MeshHeading><DescriptorName UI="D2" MajorTopicYN="Y">Synapses</DescriptorName></MeshHeading>
    </MeshHeadingList>
    <OtherAbstract Type="PIP" Language="eng"><AbstractText>Other.</AbstractText></OtherAbstract>
    <KeywordList Owner="NLM"><Keyword MajorTopicYN="N">kéy</Keyword><Keyword>a &lt; b</Keyword></KeywordList>
    <CoiStatement>None &amp; none.</CoiStatement>
  </MedlineCitation>
  <PubmedData>
    <PublicationStatus>ppublish</PublicationStatus>
    <ArticleIdList>
      <ArticleId IdType="pubmed">413934</ArticleId><ArticleId IdType="doi">10.1/x</ArticleId>
    </ArticleIdList>
  </PubmedData>
</PubmedArticle>""".encode()
"""All that is read, in the plain form."""
TOKENS = st.sampled_from([
    *(b"<", b">", b"&", b'"', b"/", b"'", b" ", b"\n", b"\r", b"\t", b"]]>", b"<!--", b"-->", b"<![CDATA[", b"<?x?>"),
    *(b"&amp;", b"&lt;", b"&nbsp;", b"&#10;", b"&#0;", b"&#xe9;", b"\xff", b"\xed\xa0\x80"),
    *(b"\xef\xbf\xbf", b"\xc2\xa0"),
    *(b"<i>", b"</i>", b"<sup/>", b"<m:x/>", b' a="1"', b' xmlns="u"', b' UI="&lt;"', b"<x>y</x>", b"<Author/>"),
    *(b"</Abstract>", b"</Author>", b"<Article>", b"</Journal>", b"<Keyword>", b"</MeshHeading>", b"<PubDate>"),
])  # fmt: skip


def _damaged(damages: list[tuple[int, int, bytes]]) -> bytes:
    record = PLAIN
    for start, length, token in damages:
        record = record[:start] + token + record[start + length :]
    return record


DAMAGED = st.lists(st.tuples(st.integers(0, len(PLAIN)), st.integers(0, 12), TOKENS), min_size=1, max_size=2).map(
    _damaged
)
"""The plain record with something put in the place of a few bytes."""


XML = st.lists(
    st.sampled_from([
        *("a", "é", "\u2009", " ", "\n", "\t", "\r", ">", "&amp;", "&lt;", "&quot;", "&#9;", "&nbsp;", "&", "\uffff"),
        *("]]>", "<i>", "</i>", "<sub>", "</sub>", "<b>", "</b>", "<b/>", "<i >", "<x>", "</x>", "<"),
    ])
).map(lambda tokens: "".join(tokens).encode())  # fmt: skip
"""Text with and without inline markup, some of it no XML."""


def agrees(record: bytes) -> bool:
    """Whether a record is plain, and then says what its tree says; etree.XMLSyntaxError if the tree refuses it."""
    found = plain_article(record)
    if found is None:
        return False
    parser = etree.XMLParser(resolve_entities=False, remove_pis=True)
    assert found == tree_article(etree.fromstring(record, parser))
    return True
