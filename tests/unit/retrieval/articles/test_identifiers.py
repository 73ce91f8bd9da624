from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.articles.identifiers import Identifier, identifiers

PMID, PMCID, DOI = Identifier("id", ("17",)), Identifier("pmcid", ("1234567",)), Identifier("doi", ("10.1000/x.y",))

PMIDS = [
    "17",
    "PMID: 17",
    "pmid17",
    "PMID 17",
    "PMID:17",
    "PubMed PMID: 17",
    "17[uid]",
    "17[PMID]",
    "pubmed.ncbi.nlm.nih.gov/17",
    "https://pubmed.ncbi.nlm.nih.gov/17/",
    "http://pubmed.ncbi.nlm.nih.gov/17/?from=x&y=2#abstract",
    "https://pubmed.ncbi.nlm.nih.gov/?term=17",
    "https://www.ncbi.nlm.nih.gov/pubmed/17",
    "www.ncbi.nlm.nih.gov/pubmed/17#x",
    "ncbi.nlm.nih.gov/m/pubmed/17/",
    "HTTP://WWW.NCBI.NLM.NIH.GOV/pubmed/?term=17[uid]",
    "https://europepmc.org/article/MED/17",
    "europepmc.org/abstract/med/17?x",
    "https://www.ncbi.nlm.nih.gov/pmc/articles/pmid/17/",
]
PMCIDS = [
    "PMC1234567",
    "pmc1234567",
    "PMC1234567.1",
    "PMCID: PMC1234567",
    "PMCID:PMC1234567",
    "pmcid 1234567",
    "https://pmc.ncbi.nlm.nih.gov/articles/PMC1234567/",
    "pmc.ncbi.nlm.nih.gov/articles/PMC1234567/pdf/x.pdf",
    "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1234567/?report=reader#s1",
    "www.ncbi.nlm.nih.gov/pmc/articles/pmc1234567",
    "https://europepmc.org/article/PMC/PMC1234567",
    "europepmc.org/articles/PMC1234567",
]
DOI_PREFIXES = [
    "",
    "doi:",
    "DOI: ",
    "DOI ",
    "doi.org/",
    "https://doi.org/",
    "HTTP://DX.DOI.ORG/",
    "https://www.doi.org/",
    "info:doi/",
    "doi: https://doi.org/",
    "https://doi.org/doi:",
]
ENDS = ["", "/", ".", ",", ";", ")", "].", '"']


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("texts", "identifier"), [(PMIDS, PMID), (PMCIDS, PMCID)], ids=["PMID", "PMCID"])
def test_every_spelling_is_that_identifier(texts: list[str], identifier: Identifier, end: str) -> None:
    for text in texts:
        assert identifiers(f" {text}{end}\n") == [identifier], text
    assert identifiers(f"({texts[0]}){end}") == [identifier]


@given(
    st.sampled_from(DOI_PREFIXES),
    st.sampled_from(
        ["10.1000/x.y", "10.1016/0091-6749(77)90156-7", "10.1002/(SICI)1097(1996)77:7<12::AID-1>3.0.CO;2-1"]
    ),
    st.sampled_from(ENDS),
    st.booleans(),
)
def test_every_spelling_of_a_doi_has_it_among_its_forms(prefix: str, doi: str, end: str, encoded: bool) -> None:
    [(kind, forms)] = identifiers(prefix + (quote(doi, safe="") if encoded else doi) + end)
    assert (kind, doi in forms) == ("doi", True)
    assert len(forms) <= 2 + len(end) + encoded + doi.endswith(")")
    assert end or encoded or forms[0] == doi


def test_a_doi_in_brackets_or_with_the_rest_of_an_address_has_its_own_forms() -> None:
    [(_, forms)] = identifiers("(10.1016/x(77)).")
    assert forms[:3] == ("10.1016/x(77)).", "10.1016/x(77))", "10.1016/x(77)")
    [(_, forms)] = identifiers("https://doi.org/10.1000/x?from=mail#top")
    assert forms[-1] == "10.1000/x"
    [(_, forms)] = identifiers("https%3A%2F%2Fdoi.org%2F10.1000%2Fx")
    assert forms == ("10.1000/x",)
    assert len(identifiers("10.1000/x" + ")" * 500)[0].forms) < 10


@given(
    st.lists(st.sampled_from([*(t for t in PMIDS if "?" not in t), "PMC1234567", "10.1000/x.y", "19"]), min_size=2),
    st.sampled_from([" ", ", ", "; ", "\n", " ,\t", ";\r\n"]),
)
def test_several_come_each_once_in_their_order(texts: list[str], between: str) -> None:
    expected = [identifiers(text)[0] for text in texts]
    found = identifiers(between.join(texts))
    assert [*dict.fromkeys(one.forms[-1] for one in found)] == [*dict.fromkeys(one.forms[-1] for one in expected)]
    assert len({*found}) == len(found)


def test_several_need_no_white_space_between_them() -> None:
    sici = "10.1175/1520-0493(1969)097<0163:GCATOC>2.3.CO;2"
    assert identifiers(f"{sici}, 17") == [Identifier("doi", identifiers(f"{sici},")[0].forms), PMID]
    assert identifiers(sici) == [Identifier("doi", (sici,))]
    assert identifiers("https://pubmed.ncbi.nlm.nih.gov/17/,pmc.ncbi.nlm.nih.gov/articles/PMC1234567") == [PMID, PMCID]
    assert identifiers("17,19;23") == [Identifier("id", (number,)) for number in ("17", "19", "23")]
    assert identifiers("10.1000/x.y,10.1000/z") == [DOI, Identifier("doi", ("10.1000/z",))]
    assert identifiers("PMID: 17; PMCID: PMC1234567; DOI: 10.1000/x.y") == [PMID, PMCID, DOI]
    assert identifiers("pmid:17,pmcid:PMC1234567") == [PMID, PMCID]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " , ; ",
        "statins and muscle pain",
        "MED-10",
        "007",
        "1234567890",
        "10.1/x",
        "10.1016/j.x and more",
        "in 2020",
        "PMID",
        "PMC",
        "PMC0",
        "doi:",
        "COVID-19",
        "17,x",
        "1.5",
        "IL-6, TNF; 17",
        "https://pubmed.ncbi.nlm.nih.gov/?term=statins",
        "https://example.org/17",
        "17[au]",
    ],
)
def test_what_is_anything_else_is_none(text: str) -> None:
    assert identifiers(text) == []


@given(st.lists(st.text("abcdexyz-/.:%", min_size=1, max_size=8), min_size=1, max_size=8))
def test_a_word_without_a_digit_is_none(words: list[str]) -> None:
    assert identifiers(" ".join([*words, "17"])) == []


@pytest.mark.parametrize("text", ["8,906,788", "12,345", "PMID: 17 (2020)", "PMID 17 [2020]"])
def test_one_number_with_separators_and_a_year_in_brackets_are_no_list_of_articles(text: str) -> None:
    assert identifiers(text) == []


def test_a_pmcid_may_stand_apart() -> None:
    assert identifiers("PMC 17") == identifiers("PMC: 17") == identifiers("PMC17") == [Identifier("pmcid", ("17",))]
