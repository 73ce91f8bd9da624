"""The memory of each kind of process, in bytes: what its task reserves of a node, and what `pubray plan` adds up."""

from retrieval.articles.pmids import CLASS_ROWS
from schemas.figures import FIGURES

PROCESS = FIGURES.process_memory.value
MERGE = 500e6
"""What a merge holds beside which rows are live: a group of rows, a range of PMIDs, the facets that it inverts."""
CENTROID = 20
"""Per number of a centroid that k-means holds beside the sample: sums, and copies to multiply with."""
ACTIVATIONS = 250e3
"""Per token of a batch that is trained on: 2.7 GB at 64 * 128 tokens of MiniLM, less 0.6 GB of the process."""
PAIR = 1000
"""Of a pair that is trained on, with 32 near articles and 8 negatives: the set, and what is looked up in it."""
CLASS_KEY = 100
"""Per row of a class, where PMIDs are checked or snapshots compared."""


def of_parser() -> float:
    """Return what one source file takes."""
    return FIGURES.ingest_memory.value


def of_snapshot(records: int) -> float:
    """Return what making a snapshot of so many records takes."""
    return PROCESS + FIGURES.snapshot_memory.value * min(records, CLASS_ROWS) + records


def of_checks(rows: int, quantizer: float = 0) -> float:
    """Return what takes each PMID of so many rows in hand: comparing snapshots, and checking a version.

    quantizer: bytes of its file. It is held twice: as FAISS has it, and laid out for products.
    """
    return PROCESS + 2 * quantizer + CLASS_KEY * min(rows, CLASS_ROWS) + rows


def of_training(sample: int, nlist: int, dimension: int) -> float:
    """Return what k-means of so many vectors takes."""
    quantizer = 4 * dimension * (nlist + dimension)
    return PROCESS + 2 * quantizer + 2 * dimension * sample + CENTROID * nlist * dimension


def of_worker(rows: int, dimension: int, quantizer: float) -> float:
    """Return what building worker shards of so many rows takes."""
    return PROCESS + 2 * quantizer + rows * (3 * dimension + FIGURES.worker_memory.value)


def of_merge(rows: int, quantizer: float) -> float:
    """Return what merging so many rows into a shard takes."""
    return PROCESS + 2 * quantizer + MERGE + rows


def of_engine(weights: float) -> float:
    """Return what a process with a model of so many bytes takes."""
    return FIGURES.engine_memory.value + weights


def of_searcher(rows: int, lists: float) -> float:
    """Return what a searcher of so many rows takes, with its lists, which are mapped, in memory."""
    return PROCESS + rows + lists


def of_trainer(weights: float, tokens: int, pairs: int) -> float:
    """Return what a worker of training takes: weights, gradients and AdamW's two moments, the start model, activations.

    weights: bytes of the model. tokens: whose activations are held at once. pairs: of all sets.
    """
    return FIGURES.engine_memory.value + 5 * weights + ACTIVATIONS * tokens + PAIR * pairs


def of_gpu_in_training(learnt: float, others: float, activations: float) -> float:
    """Return what a worker of training takes of its GPU, or without one of its node.

    learnt: bytes of the weights that are, beside which are their gradients and AdamW's two moments. A step of AdamW
    takes as much once more, when activations are gone. others: bytes of weights that stay as they are.
    """
    return FIGURES.engine_memory.value + 4 * learnt + others + max(activations, learnt)
