"""What the files of a version are worth: it answers a query, or every byte of it is what it was."""

from pathlib import Path

from actors.search.index_searcher import IndexSearcher
from retrieval.evaluate.truth import read_truth
from retrieval.files.checked import check_file, read_named
from retrieval.index.segment import check_pmids
from retrieval.rows.row_numbers import read_tombstones
from schemas.errors import IntegrityError
from schemas.layout import Layout
from schemas.manifest import IndexVersion


def check_answers(layout: Layout, version: IndexVersion) -> None:
    """Open a version and ask a query of its truth, as a searcher will, but without the weights of an encoder.

    Raises:
        StoreError: it cannot be opened, or does not answer.
    """
    searcher, truth = IndexSearcher(layout, version), read_truth(layout.truth, version.checks.truth)
    [found] = searcher.candidates(truth.queries[:1], 1)
    if not len(found.pmids):
        raise IntegrityError(f"version {version.id} finds nothing; run pubray index --full")


def check_bytes(layout: Layout, version: IndexVersion) -> None:
    """Read every byte that a search of a version may read, and that its rows are of the articles that they say.

    Raises:
        StoreError: one is not what it was.
    """
    read_named(layout.quantizer, version.quantizer, "quantizer")
    read_named(layout.truth, version.checks.truth, "truth")
    if version.mesh_tree:
        read_named(layout.mesh_tree, version.mesh_tree, "MeSH tree")
    for segment in version.segments:
        folder = Path(layout.segment(segment.id))
        for name, expected in segment.files.items():
            check_file(folder / name, expected, whole=True)
        check_pmids(folder)
    for tombstones in version.tombstones.values():
        read_tombstones(layout.tombstones, tombstones)
