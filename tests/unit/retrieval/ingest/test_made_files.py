import gzip
from collections.abc import Collection
from datetime import date
from io import BytesIO
from itertools import islice
from pathlib import Path

import pytest
from lxml import etree

from actors.fetch.embedded_wheels import embedded_folder
from retrieval.articles.article import Rejects, article_batches
from retrieval.ingest.made_files import (
    Change,
    made_file,
    raw_records,
    reissue,
    retract,
    revise_metadata,
    revise_text,
    write_night,
)
from retrieval.ingest.ncbi import check_md5
from retrieval.ingest.pubmed.stream import read_pubmed_xml
from retrieval.ingest.readers import open_source
from schemas.errors import InputError
from tests.support.pubmed.made_night import made_night, new_version, version_and_pmid, with_pmid
from tests.support.pubmed.made_year import write_reissue
from tests.support.pubmed.pubmed_xml import Row

CHANGES: list[Change] = [revise_text, revise_metadata, retract, new_version, reissue]
# Of https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_190101.dtd
ORDER = (
    " PMID DateCompleted DateRevised Article MedlineJournalInfo ChemicalList SupplMeshList CitationSubset "
    "CommentsCorrectionsList GeneSymbolList MeshHeadingList NumberOfReferences PersonalNameSubjectList OtherID "
    "OtherAbstract KeywordList CoiStatement SpaceFlightMission InvestigatorList GeneralNote "
)


DAY = date(2026, 11, 22)


def record(pmid: int, title: str = "A title") -> bytes:
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article PubModel="Print">'
        f"<ArticleTitle>{title}</ArticleTitle><PublicationTypeList></PublicationTypeList></Article></MedlineCitation>"
        "<PubmedData><ArticleIdList></ArticleIdList></PubmedData></PubmedArticle>"
    ).encode()


def source(folder: Path, name: str, pmids: Collection[int], title: str = "A title") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.xml.gz"
    records = (record(pmid, title) for pmid in pmids)
    path.write_bytes(gzip.compress(b"".join(made_file(records, (), "nothing"))))
    return path


def rows_of_file(path: Path) -> list[Row]:
    with open_source(path, Rejects()) as batches:
        return [row for batch in batches for row in batch.to_pylist()]


def keys(path: Path) -> list[tuple[int, str]]:
    return [(row["pmid"], "deleted" if row["deleted"] else row["title"]) for row in rows_of_file(path)]


def test_records_are_the_bytes_of_the_file_whatever_its_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = source(tmp_path / "s", "pubmed26n0001", range(1, 50))
    expected = [(pmid, record(pmid)) for pmid in range(1, 50)]
    for block in (1 << 20, 100, 7):
        monkeypatch.setattr("retrieval.ingest.made_files.BLOCK", block)
        assert list(raw_records(path)) == expected


def test_a_night_has_its_records_in_the_order_of_the_source_and_then_its_deletions(tmp_path: Path) -> None:
    path = source(tmp_path / "s", "pubmed26n0001", [5, 3, 8, 1])
    night = made_night(DAY, added={90: 3}, revised_text=[8, 3], reissued=[5, 8], deleted=[1, 77])
    made = write_night(path, tmp_path / "made", "pubmed26n0002.xml.gz", night)
    assert keys(made) == [
        (5, "A title"),
        (90, "[made from 3] A title"),
        (3, "[made: revised 2026-11-22] A title"),
        (8, "[made: revised 2026-11-22] A title"),
        (8, "A title"),
        (1, "deleted"),
        (77, "deleted"),
    ]


def test_every_kind_of_change_gets_its_records(tmp_path: Path) -> None:
    path = source(tmp_path / "s", "pubmed26n0001", range(1, 7))
    night = made_night(DAY, {9: 1}, [2], [3], [4], [5], [6])
    added, text, metadata, retracted, version, reissued = rows_of_file(
        write_night(path, tmp_path, "pubmed26n0002.xml.gz", night)
    )
    assert (added["pmid"], text["pmid"], text["title"][:5]) == (9, 2, "[made")
    assert (metadata["pmid"], metadata["keywords"]) == (3, ["made: 2026-11-22"])
    assert (retracted["pmid"], retracted["retracted"]) == (4, True)
    assert (version["pmid"], version["version"]) == (5, 2)
    assert (reissued["pmid"], reissued["date_revised"]) == (6, "2026-11-22")


def test_a_made_file_says_so_and_has_its_md5_beside_it(tmp_path: Path) -> None:
    path = source(tmp_path / "s", "pubmed26n0001", [1])
    made = write_night(path, tmp_path / "made", "pubmed26n0002.xml.gz", made_night(DAY, reissued=[1]))
    head = gzip.decompress(made.read_bytes()).partition(b"<PubmedArticleSet>")[0]
    assert b"<!-- made by pubray from pubmed26n0001; not NLM's data -->" in head
    check_md5(made, made.with_name("pubmed26n0002.xml.gz.md5").read_text())
    assert sorted(file.name for file in made.parent.iterdir()) == ["pubmed26n0002.xml.gz", "pubmed26n0002.xml.gz.md5"]


def test_the_same_night_is_the_same_file(tmp_path: Path) -> None:
    path = source(tmp_path / "s", "pubmed26n0001", range(1, 9))
    night = made_night(DAY, {9: 1}, revised_text=[2], deleted=[3])
    first, second = (write_night(path, tmp_path / f, "pubmed26n0002.xml.gz", night).read_bytes() for f in "ab")
    assert first == second
    assert first[4:8] == bytes(4)  # RFC 1952: no time of writing


def test_a_night_about_a_record_that_is_not_there_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    path = source(tmp_path / "s", "pubmed26n0001", [1, 2])
    with pytest.raises(InputError, match=rf"^{path} holds no record of PMID 7; "):
        write_night(path, tmp_path / "made", "pubmed26n0002.xml.gz", made_night(DAY, reissued=[1, 8, 7]))
    assert not (tmp_path / "made").exists()


def test_a_reissue_has_the_last_record_of_every_pmid_in_files_from_0001(tmp_path: Path) -> None:
    first = source(tmp_path / "s", "pubmed26n0001", range(1, 8))
    second = source(tmp_path / "s", "pubmed26n0002", [2, 30], "Another title")
    made = write_reissue([first, second], tmp_path, 27, without=[5], revised=[30], records_per_file=3)
    assert [path.name for path in made] == [f"pubmed27n000{n}.xml.gz" for n in (1, 2, 3)]
    assert [key for path in made for key in keys(path)] == [
        *((pmid, "A title") for pmid in (1, 3, 4, 6, 7)),
        (2, "Another title"),
        (30, "[made: revised 2027-01-01] Another title"),
    ]
    for path in made:
        check_md5(path, path.with_name(f"{path.name}.md5").read_text())


# --- records -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(whole: bool) -> list[bytes]:
    folder = embedded_folder("pubmed", Path("~/.cache/pubray").expanduser())
    names = ("pubmed20n0014.xml.gz", "pubmed21n1298.xml.gz")
    return [record for name in names for _, record in islice(raw_records(folder / name), 300 if whole else 100)]


def rows(*records: bytes) -> list[Row]:
    stream = BytesIO(b"".join(made_file(records, (), "a test")))
    return [row for batch in article_batches(read_pubmed_xml(stream, "p.xml", Rejects())) for row in batch.to_pylist()]


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
