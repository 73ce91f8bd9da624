"""The demo's articles, and its nights: source files that appear one after the other, and what is found after each.

The first two nights are real files of PubMed. The third is made: it changes a few of the demo's own records.
"""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from actors.fetch.embedded_wheels import embedded_folder
from actors.service.assembly import load_service
from actors.service.search_service import SearchService
from actors.store.stores import open_store
from jobs.common.config import ROOT
from jobs.common.console import cut, table
from jobs.common.store import read_version
from retrieval.articles.pmids import parse_pmids
from retrieval.files.atomic import write_file
from retrieval.files.parquet import read_groups
from retrieval.ingest.made_files import Night, reissue, retract, revise_metadata, revise_text, write_night
from retrieval.ingest.sources import source_name
from schemas.arrays import Pmids
from schemas.config import Config
from schemas.errors import InputError
from schemas.filters import Condition
from schemas.layout import DEMO_SOURCES, Layout
from schemas.manifest import IndexVersion
from schemas.search import SearchRequest
from schemas.store import Store

DEMO = ROOT / "infra" / "demo"
CHOSEN = DEMO / "selection.txt"
CHOSEN_COUNT = 2000
SEED = 0

BASELINE, UPDATE = "pubmed20n0014.xml.gz", "pubmed21n1298.xml.gz"
TEXT, METADATA, RETRACTED, DELETED, BACK = 403931, 402091, 401663, 402311, 402389
CHANGED = (TEXT, METADATA, RETRACTED, DELETED, BACK)
MADE = {
    "pubmed20n0015.xml.gz": Night(date(2020, 1, 1), deleted=[BACK]),
    "pubmed21n1299.xml.gz": Night(
        date(2021, 7, 1),
        {TEXT: [revise_text], METADATA: [revise_metadata], RETRACTED: [retract], BACK: [reissue]},
        deleted=[DELETED],
    ),
}
NIGHTS = {
    "baseline": [BASELINE, "pubmed20n0015.xml.gz"],
    "night 1": [UPDATE],
    "night 2, made": ["pubmed21n1299.xml.gz"],
}
"""What appears when."""


class Search(NamedTuple):
    """What one of the changed articles is searched for with."""

    change: str
    pmid: int
    title: str
    filters: tuple[Condition, ...] = ()


SEARCHES = (
    Search("text revised", TEXT, "Infective keratitis in soft contact lens wearers."),
    Search(
        "now a review",
        METADATA,
        "Preventing infection in intravenous therapy.",
        (Condition(field="type", op="=", value="Review"),),
    ),
    Search("retracted", RETRACTED, "Long-term haemodialysis and thyroid function."),
    Search("deleted", DELETED, "Phosphorus deficiency and hypophosphatemia."),
    Search("comes back", BACK, "Gray scale measurement of biparietal diameter."),
)


def shipped() -> Pmids:
    """Return the PMIDs of the shipped list, in its order."""
    return parse_pmids(CHOSEN.read_text(), str(CHOSEN))


def choose(store: Store, count: int) -> list[int]:
    """Return `count` PMIDs: those that the nights change, then shipped ones, then others of the baseline.

    The shipped ones, and the others, which have an abstract, are taken in a fixed random order. With more than the
    shipped ones the baseline is to be ingested.
    """
    rng = np.random.default_rng(SEED)
    changed = np.array(CHANGED)
    pmids = np.concatenate([changed, rng.permutation(np.setdiff1d(shipped(), changed))])
    if count > len(pmids):
        with store.parquet(Layout.article_part(source_name(BASELINE))) as file:
            part = read_groups(file, range(file.num_row_groups), ["pmid", "abstract"])
        with_abstract = part.filter(pc.not_equal(part["abstract"], ""))["pmid"]
        pmids = np.concatenate([pmids, rng.permutation(np.setdiff1d(with_abstract, pmids))])
    return sorted(pmids[:count].tolist())


def write_pmids(file: Path, pmids: Sequence[int]) -> None:
    """Write a selection's list."""
    write_file(str(file), "".join(f"{pmid}\n" for pmid in pmids).encode())


def publish(config: Config) -> dict[str, str]:
    """Make a folder of source files for each night, with those of the nights before; return them by night."""
    real = embedded_folder("pubmed", Path(config.cache))
    pool = open_store(config).work(DEMO_SOURCES)
    for name, night in MADE.items():
        if not (pool / name).exists():
            write_night(real / BASELINE, pool, name, night)
    folders: dict[str, str] = {}
    known: list[Path] = []
    for number, (name, files) in enumerate(NIGHTS.items()):
        folder = pool / str(number)
        folder.mkdir(exist_ok=True)
        known += [(pool if file in MADE else real) / file for file in files]
        for path in known:
            if not (folder / path.name).exists():
                (folder / path.name).symlink_to(path)
        folders[name] = str(folder)
    return folders


def ancestors(store: Store, newest: IndexVersion) -> list[IndexVersion]:
    """Return a version and those that it builds on, the oldest first."""
    versions = [newest]
    while parent := versions[0].parent:
        version = read_version(store, parent)
        if version.recipe != newest.recipe:
            break
        versions.insert(0, version)
    return versions


def searches(config: Config, versions: Sequence[IndexVersion]) -> tuple[tuple[str, ...], ...]:
    """Search for each changed article by its title in every version; return a row each."""
    plain = config.with_values(rerank={"kind": "none"})
    services = [load_service(plain, version) for version in versions]
    return tuple((s.change, str(s.pmid), *(asyncio.run(_found(of, s)) for of in services)) for s in SEARCHES)


def show(rows: Sequence[Sequence[str]]) -> str:
    """Return what was found as a table, with the titles searched for."""
    return table(["made change", "PMID", *NIGHTS], rows)


async def _found(service: SearchService, search: Search) -> str:
    """Say where a search finds its article."""
    try:
        [response] = await service.search(SearchRequest(query=search.title, filters=search.filters, direct=False))
    except InputError:  # of a few articles none may be a review yet
        return "refused: no reviews"
    for hit in response.hits:
        if hit.id == str(search.pmid):
            return f"rank {hit.rank}: {cut(hit.article.title, 24)}"
    return "not found"
