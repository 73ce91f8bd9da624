"""Nights go on from a store that an earlier pubray wrote: see tests/unit/jobs/test_old_store.py."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

from actors.search.index_searcher import IndexSearcher
from actors.store.local_store import LocalStore
from jobs import compact, index, nightly, promote
from jobs.common.config import load_config
from jobs.common.store import read_version, served_version
from schemas.article import RelatedArticle
from schemas.config import Config
from schemas.errors import InputError
from schemas.filter_text import parse_filter
from schemas.filters import Wanted
from schemas.protocols import Lookup
from tests.support.pubmed.pubmed_xml import Record, document
from tests.unit.jobs.test_old_store import STORE

NEW = Record(
    "<Journal><ISSN>1533-4406</ISSN><JournalIssue><PubDate><Year>2024</Year><Month>Mar</Month><Day>7</Day></PubDate>"
    "</JournalIssue></Journal><ArticleTitle>Lung cysts in mice</ArticleTitle><Abstract><AbstractText>Cysts."
    "</AbstractText></Abstract><AuthorList><Author><LastName>Lovelace</LastName><Initials>AK</Initials></Author>"
    "</AuthorList>",
    "<MeshHeadingList><MeshHeading><DescriptorName UI='D003560'>Cysts</DescriptorName></MeshHeading></MeshHeadingList>"
    "<CommentsCorrectionsList><CommentsCorrections RefType='ErratumIn'><RefSource>J</RefSource><PMID>8</PMID>"
    "</CommentsCorrections></CommentsCorrectionsList>",
    pmid="<PMID>40000001</PMID>",
)
FILTERS = ["author='Lovelace A'", "date=2024-03-07", "journal=1533-4406", "year=1066 or author='Lovelace, A. K.'"]
"""What needs the second format: each finds the new article alone."""


def searcher_of(config: Config) -> IndexSearcher:
    store = LocalStore(config.store)
    return IndexSearcher(store, served_version(store))


def found(config: Config, text: str) -> set[int]:
    searcher = searcher_of(config)
    anything = np.ones(searcher.quantizer.dimension, np.float32)
    [matches] = searcher.matches([Lookup(anything, 50, Wanted(parse_filter(text)))])
    return {match.article.pmid for match in matches}


def formats(config: Config) -> set[int]:
    return {segment.format for segment in served_version(LocalStore(config.store)).segments}


def assert_refused(config: Config) -> None:
    """What the old articles are not known to have is refused, with the version and what to do."""
    for text in FILTERS:
        with pytest.raises(InputError) as error:
            found(config, text)
        version = served_version(LocalStore(config.store)).id
        assert str(error.value).endswith(f"not known of all articles of version {version}; run pubray index --full")


@pytest.mark.whole
def test_nights_go_on_from_segments_of_the_first_format_until_all_are_made_anew(cluster: None, tmp_path: Path) -> None:
    with tarfile.open(STORE) as archive:
        archive.extractall(tmp_path, filter="data")
    environment = {"PUBRAY_STORE": str(tmp_path / "store"), "PUBRAY_MODELS": str(tmp_path / "models")}
    config = load_config(str(tmp_path / "config.toml"), ["index.recall_floor=0"], environment)
    old = served_version(LocalStore(config.store))
    source, tree = tmp_path / "pubmed26n0004.xml", tmp_path / "mtrees2026.bin"
    source.write_bytes(document(NEW))
    tree.write_text("Neoplasms;C04\nCysts;C04.182\n")

    night = nightly.night(config, source=str(source), mesh_tree=str(tree))
    version = served_version(LocalStore(config.store))
    assert (version.id, version.parent) == (night.version, old.id)
    assert version.segments[: len(old.segments)] == old.segments
    assert (version.articles, formats(config)) == (old.articles + 1, {1, 2})
    assert found(config, "year=2024") == found(config, "date>=2024") == {40000001}
    assert found(config, "mesh=Neoplasms") == found(config, "mesh=Cysts") == {40000001, 399319}
    assert_refused(config)

    merged = compact.run(config, force=True)
    promote.run(config, version=merged.version)
    assert formats(config) == {1}
    assert_refused(config)

    full = index.run(config, full=True)
    assert read_version(LocalStore(config.store), full.version).mesh_tree == version.mesh_tree
    promote.run(config, version=full.version)
    assert formats(config) == {2}
    assert [found(config, text) for text in FILTERS] == [{40000001}] * len(FILTERS)
    [stored] = searcher_of(config).articles(["40000001"])
    assert stored
    assert stored.article.corrections == (RelatedArticle(type="ErratumIn", pmid=8),)
