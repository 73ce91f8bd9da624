from datetime import date
from io import BytesIO
from itertools import islice
from pathlib import Path

import pytest
from lxml import etree

from actors.fetch.embedded_wheels import embedded_folder
from retrieval.articles.article import Rejects
from retrieval.ingest.made_files import Change, made_file, raw_records
from retrieval.ingest.made_records import (
    new_version,
    reissue,
    retract,
    revise_metadata,
    revise_text,
    version_and_pmid,
    with_pmid,
)
from retrieval.ingest.pubmed.stream import read_pubmed_xml
from tests.support.pubmed.pubmed_xml import Row

DAY = date(2026, 11, 22)
CHANGES: list[Change] = [revise_text, revise_metadata, retract, new_version, reissue]
# Of https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_190101.dtd
ORDER = (
    " PMID DateCompleted DateRevised Article MedlineJournalInfo ChemicalList SupplMeshList CitationSubset "
    "CommentsCorrectionsList GeneSymbolList MeshHeadingList NumberOfReferences PersonalNameSubjectList OtherID "
    "OtherAbstract KeywordList CoiStatement SpaceFlightMission InvestigatorList GeneralNote "
)


@pytest.fixture(scope="module")
def real(whole: bool) -> list[bytes]:
    folder = embedded_folder("pubmed", Path("~/.cache/pubray").expanduser())
    names = ("pubmed20n0014.xml.gz", "pubmed21n1298.xml.gz")
    return [record for name in names for _, record in islice(raw_records(folder / name), 300 if whole else 100)]


def rows(*records: bytes) -> list[Row]:
    stream = BytesIO(b"".join(made_file(records, (), "a test")))
    return [row for batch in read_pubmed_xml(stream, "p.xml", Rejects()) for row in batch.to_pylist()]


def changed(record: bytes, made: bytes) -> set[str]:
    before, after = rows(record, made)
    return {name for name in before if before[name] != after[name]}


HASHES = {"record_hash", "date_revised"}


def test_a_reissue_changes_only_the_date_of_revision(real: list[bytes]) -> None:
    for record in real:
        assert changed(record, reissue(record, DAY)) == {"date_revised"}
    assert rows(reissue(real[0], DAY))[0]["date_revised"] == "2026-11-22"


def test_a_revised_text_says_so(real: list[bytes]) -> None:
    for before, after in zip(rows(*real), rows(*(revise_text(record, DAY) for record in real)), strict=True):
        assert after["title"] == f"[made: revised 2026-11-22] {before['title']}"
        assert after["abstract"].replace("[made: revised 2026-11-22] ", "", 1) == before["abstract"]
        assert (after["abstract"] != before["abstract"]) == bool(before["abstract"])
        assert after["text_hash"] != before["text_hash"]


def test_a_title_that_is_empty_is_revised_too() -> None:
    article = b"<Article><ArticleTitle/><Abstract><AbstractText>Text</AbstractText></Abstract></Article>"
    empty = b'<PubmedArticle><MedlineCitation><PMID Version="1">7</PMID>%b</MedlineCitation></PubmedArticle>' % article
    [row] = rows(revise_text(empty, DAY))
    assert (row["title"], row["abstract"]) == ("[made: revised 2026-11-22]", "[made: revised 2026-11-22] Text")


def test_a_metadata_revision_adds_a_keyword(real: list[bytes]) -> None:
    for record in real:
        assert changed(record, revise_metadata(record, DAY)) == {"keywords", "publication_types", *HASHES}
    [row] = rows(revise_metadata(real[0], DAY))
    assert row["keywords"][-1] == "made: 2026-11-22"


def test_a_retraction_has_the_type_and_the_comment(real: list[bytes]) -> None:
    for record in real[:50] + real[-50:]:
        [row] = rows(retract(record, DAY))
        assert row["retracted"]
        assert row["publication_types"][-1] == {"ui": "D016441", "name": "Retracted Publication"}
        assert row["corrections"][-1] == {"type": "RetractionIn", "pmid": None}
        assert changed(record, retract(record, DAY)) <= {"publication_types", "corrections", "retracted", *HASHES}


def test_a_new_version_is_one_higher(real: list[bytes]) -> None:
    version, pmid = version_and_pmid(real[0])
    assert version_and_pmid(new_version(real[0], DAY)) == (version + 1, pmid)
    assert changed(real[0], new_version(real[0], DAY)) == {"version", *HASHES}


def test_a_new_article_has_no_identifier_of_the_old_one(real: list[bytes]) -> None:
    for before, after in zip(rows(*real), rows(*(with_pmid(record, DAY, 9) for record in real)), strict=True):
        assert (after["pmid"], after["version"], after["doi"], after["pmcid"]) == (9, 1, None, None)
        assert after["title"] == f"[made from {before['pmid']}] {before['title']}"


def test_a_record_without_a_date_of_revision_gets_one() -> None:
    record = b'<PubmedArticle><MedlineCitation><PMID Version="1">7</PMID><Article PubModel="Print"/></MedlineCitation>'
    assert b"<DateRevised><Year>2026</Year><Month>11</Month><Day>22</Day></DateRevised>" in reissue(record, DAY)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_made_records_have_their_elements_in_the_order_of_the_dtd(change: Change, real: list[bytes]) -> None:
    for record in real:
        citation = etree.fromstring(change(record, DAY)).find("MedlineCitation")
        assert citation is not None
        places = [ORDER.index(f" {child.tag} ") for child in citation]
        assert places == sorted(places)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_change_of_another_night_is_another_change(change: Change, real: list[bytes]) -> None:
    made = [change(real[0], day) for day in (DAY, date(2026, 11, 23))]
    first, second = rows(*made)
    same = change in (new_version, reissue, retract)
    assert (first["record_hash"] == second["record_hash"]) == same
