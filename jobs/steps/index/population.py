"""Which articles a version must hold, for what is built on it."""

import ray

from actors.store.stores import open_store
from jobs.common.console import log
from jobs.common.run_reports import root_cause
from jobs.common.store import keep_selection
from jobs.steps.index.build_tasks import find_live, find_wanted
from jobs.steps.index.reservations import checking
from retrieval.articles.snapshot import read_snapshot
from retrieval.embed.vector_parts import row_ranges
from retrieval.index.segment_build import Work, group_work
from schemas.config import Config
from schemas.errors import CheckError, StoreError
from schemas.manifest import IndexVersion, Population
from schemas.vector import EmbedPlan


def population_of(config: Config, version: IndexVersion) -> Population:
    """Return what a version says; of one that is older than that, count once what its article parts say.

    Raises:
        CheckError: it does not hold those.
    """
    if version.population is not None:
        return version.population
    live: Population = ray.get(
        find_live.options(**checking(config, version.rows, version.quantizer)).remote(open_store(config), version)
    )
    try:
        wanted = _wanted(config, version)
    except StoreError as error:
        log(f"index     which articles {version.id} must hold is not known any more, its own are taken: {error}")
        return live
    if live != wanted:
        raise CheckError(
            f"version {version.id} has {live.articles} articles, and not the {wanted.articles} that are alive and "
            "selected: an earlier pubray lost some; run pubray index --full"
        )
    return live


def _wanted(config: Config, version: IndexVersion) -> Population:
    store = open_store(config)
    selection = keep_selection(store, config.selection)
    if selection != version.selection:
        raise StoreError(f"its selection is {version.selection}, the configured one {selection}")
    snapshot = read_snapshot(store, version.snapshot)
    plan = EmbedPlan(snapshot.id, selection, version.fingerprint)
    work = [
        Work(one, None, one.stop - one.start) for one in row_ranges(snapshot.info.parts, config.embed.rows_per_part)
    ]
    groups = group_work(work, config.index.rows_per_worker, config.index.min_workers)
    placed = find_wanted.options(**checking(config, config.index.rows_per_worker))
    try:
        return sum(ray.get([placed.remote(config, plan, group) for group in groups]), Population())
    except Exception as error:
        if isinstance(cause := root_cause(error), StoreError):
            raise cause from None
        raise
