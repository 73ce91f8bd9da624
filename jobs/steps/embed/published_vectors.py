"""NCBI's published MedCPT vectors, on their way into `embed`: fetched, indexed, and compared with the encoder's own."""

import numpy as np
import ray

from actors.embed.known_sources import compare_sample, published_vectors
from actors.fetch.chunk_mirror import ChunkMirror
from actors.fetch.stored_models import weight_bytes
from actors.store.stores import open_store
from jobs.common.cluster.joining import connect, results
from jobs.common.cluster.placement import place
from jobs.common.console import Progress, log
from jobs.steps.ingest.ncbi_guest import NCBI, ncbi_guest
from retrieval.embed.known.published_chunks import PublishedChunks
from retrieval.operate import memory
from schemas.config import Config
from schemas.errors import StoreError, UsageError
from schemas.layout import PUBLISHED_CHUNKS
from schemas.report import Agreement
from schemas.vector import EmbedPlan, RowRange

ENCODER = "MedCPT"
SAMPLED_RANGES = 8


def published_folder(config: Config, source: str) -> str:
    """Return the folder of chunks that `--import-npy` names; for `ncbi` they are fetched into the store.

    Raises:
        UsageError: the configured encoder is another than that of the vectors, or nobody says who asks for them.
        InputError: the server does not give them.
        StoreError: there is no room for them.
    """
    if config.encoder.name != ENCODER:
        raise UsageError(
            f"--import-npy: the published vectors are {ENCODER}'s, the configured encoder is {config.encoder.name!r}; "
            "use infra/config/medcpt.toml"
        )
    if source != NCBI:
        return source
    folder = open_store(config).work(PUBLISHED_CHUNKS)
    with ChunkMirror(config.embed.published_url, folder, ncbi_guest(config.ingest, "--import-npy")) as mirror:
        plan = mirror.plan(texts=True)
        log(f"download  {plan}")
        progress = Progress("download", len(plan.files), "files", "bytes")
        for file in mirror.fetch_all(plan):
            progress.add(1, file.bytes)
        progress.finish()
    return str(folder)


def with_published(
    config: Config, plan: EmbedPlan, missing: list[RowRange], source: str, check: int
) -> tuple[EmbedPlan, Agreement | None]:
    """Return the plan with published vectors, and how `check` of them agree with the encoder's own, if any are.

    Every chunk is indexed, once: minutes for one with texts, side by side.
    """
    folder = published_folder(config, source)
    connect(config)
    chunks = published_vectors(config, folder)
    placed = _prepare.options(**place(config.placement, "tokenise", memory.PROCESS))
    tasks = [placed.remote(chunks, number) for number in chunks.numbers]
    results(tasks, "published", len(tasks), "chunks", lambda _: 1)
    agreement = check_sample(config, folder, missing, check) if check else None
    return plan._replace(published=folder), agreement


@ray.remote
def _prepare(chunks: PublishedChunks, number: int) -> None:
    """Index one chunk. Memory: 80 bytes an article."""
    chunks.prepare(number)


def check_sample(config: Config, folder: str, missing: list[RowRange], count: int) -> Agreement:
    """Compare about `count` published vectors, of random articles of some ranges, with the encoder's own.

    Raises:
        StoreError: some of them differ, or none was found.
    """
    rng = np.random.default_rng(0)
    ranges = [missing[i] for i in rng.permutation(len(missing))[:SAMPLED_RANGES]]
    held = memory.of_engine(weight_bytes(config.encoder.article, config))
    compare = ray.remote(**place(config.placement, "encode", held, gpus=config.embed.num_gpus))(compare_sample)
    found: Agreement = ray.get(compare.remote(config, folder, ranges, count))
    if found.below:
        raise StoreError(
            f"{found.below} of {found.pairs} published vectors are not the encoder's own (least cosine "
            f"{found.min_cosine:.4f}); nothing was imported, check the encoder and the folder"
        )
    return found
