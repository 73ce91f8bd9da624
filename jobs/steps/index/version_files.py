"""What the files of a version are worth: it answers a query, or every byte of it is what it was."""

from actors.fetch.stored_models import read_model
from actors.search.index_searcher import IndexSearcher
from jobs.steps.index.file_checks import check_files
from retrieval.evaluate.truth import read_truth
from retrieval.files.checked import read_named
from retrieval.index.segment import check_pmids
from schemas.errors import IntegrityError
from schemas.layout import ARTICLES, PMIDS, Layout
from schemas.manifest import IndexVersion
from schemas.store import Store


def check_answers(store: Store, version: IndexVersion, served: IndexVersion | None = None) -> None:
    """Ask a query of a version's truth, as a searcher will, but without the weights of an encoder.

    Of each file the length and the first bytes are looked at, as `check_files` does; what the query needs is read.

    Raises:
        StoreError: a file cannot be opened, or no answer comes.
    """
    check_files(store, version, served)
    searcher, truth = IndexSearcher(store, version, sparse=True), read_truth(store, version.checks.truth)
    [found] = searcher.candidates(truth.queries[:1], 1)
    if not len(found.pmids):
        raise IntegrityError(f"version {version.id} finds nothing; run pubray index --full")


def check_bytes(store: Store, version: IndexVersion) -> None:
    """Read every byte that a search of a version may read, and that its rows are of the articles that they say.

    Raises:
        StoreError: one is not what it was.
    """
    read_named(store, Layout.quantizer, version.quantizer, "quantizer", here=False)
    read_named(store, Layout.truth, version.checks.truth, "truth", here=False)
    if version.mesh_tree:
        read_named(store, Layout.mesh_tree, version.mesh_tree, "MeSH tree", here=False)
    for segment in version.segments:
        keys = {name: f"{Layout.segment(segment.id)}/{name}" for name in segment.files}
        for name, expected in segment.files.items():
            store.check(keys[name], expected, whole=True)
        check_pmids(*(store.local(keys[name], segment.files[name]) for name in (PMIDS, ARTICLES)))
    for model in {*version.models.values()}:
        for name, expected in read_model(store, model).files.items():
            store.check(f"{Layout.model(model)}/{name}", expected, whole=True)
    for tombstones in version.tombstones.values():
        read_named(store, Layout.tombstones, tombstones.sha256, "tombstones", here=False)
