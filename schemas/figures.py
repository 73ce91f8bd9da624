"""The figures that `pubray plan` calculates with, each with where it is from. Nothing else knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Label = Literal["measured here", "published", "assumed", "given"]

MEASURE = "python -m benchmarks.operate.plan_figures"
INGEST = "python -m benchmarks.ingest"
SNAPSHOT = "python -m benchmarks.ingest.snapshot_night"
TRAINING = "python -m benchmarks.operate.training_figures"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, its unit, and why it is believed: by which command, in which publication, on what grounds."""

    value: float
    unit: str
    label: Label
    source: str


class Figures(NamedTuple):
    """All that a plan takes for granted beside shapes of models and layouts of files. A core is one of this machine."""

    source_bytes: Figure = Figure(1_300, "B/record", "published", "NCBI: 52 GB for a baseline of 40 million")
    records_per_article: Figure = Figure(
        1.2, "records", "published", "NCBI: 261 update files after 1,334 of the baseline"
    )
    download: Figure = Figure(10e6, "B/s", "assumed", "two connections to NCBI")
    ingest: Figure = Figure(4_150, "records/core-s", "measured here", INGEST)
    ingest_memory: Figure = Figure(358e6, "B/worker", "measured here", INGEST)
    part_bytes: Figure = Figure(668, "B/record", "measured here", MEASURE)
    first_snapshot: Figure = Figure(500_000, "articles/core-s", "measured here", SNAPSHOT)
    next_snapshot: Figure = Figure(5_000_000, "articles/core-s", "measured here", SNAPSHOT)
    snapshot_memory: Figure = Figure(200, "B/row of a class", "measured here", SNAPSHOT)
    snapshot_bytes: Figure = Figure(17, "B/article", "measured here", MEASURE)
    compare: Figure = Figure(1_900_000, "articles/core-s", "measured here", MEASURE)
    gpu_use: Figure = Figure(0.4, "of the peak", "assumed", "bfloat16, texts of like length in a batch")
    core_encoding: Figure = Figure(
        1.5e11, "FLOP/core-s", "measured here", "python -m benchmarks.embed.encode, bfloat16"
    )
    tokenising: Figure = Figure(446_000, "tokens/core-s", "measured here", MEASURE)
    engine_memory: Figure = Figure(1.5e9, "B/process", "assumed", "an engine, beside the weights in float32")
    process_memory: Figure = Figure(0.4e9, "B/process", "assumed", "a Ray worker with Arrow, FAISS and torch")
    articles_bytes: Figure = Figure(1_868, "B/article", "measured here", MEASURE)
    facets_bytes: Figure = Figure(184, "B/article", "measured here", MEASURE)
    products: Figure = Figure(1e11, "FLOP/core-s", "measured here", f"{MEASURE}, bfloat16")
    rounds: Figure = Figure(10, "rounds", "published", "FAISS: k-means of an IVF index")
    copying: Figure = Figure(120e6, "B/core-s", "measured here", f"{MEASURE}, merging")
    exact_search: Figure = Figure(150e6, "B/core-s", "measured here", f"{MEASURE}, 200 queries")
    worker_memory: Figure = Figure(6_200, "B/article", "assumed", "a worker of 131,072 rows held 1.8 GB")
    night_encoded: Figure = Figure(0.6, "of the records", "assumed", "new, or revised in text")
    night_rows: Figure = Figure(0.8, "of the records", "assumed", "those, or revised in metadata")
    query_tokens: Figure = Figure(16, "tokens/query", "assumed", "special tokens included")
    answering: Figure = Figure(
        0.005, "core-s/query", "measured here", "python -m benchmarks.serve load, without model and search"
    )
    searching: Figure = Figure(0.00035, "core-s/query", "measured here", f"{MEASURE}, a query")
    scanning: Figure = Figure(4.4e9, "B/core-s", "measured here", f"{MEASURE}, codes")
    recall: Figure = Figure(0.99, "of ten", "measured here", "python -m benchmarks.index quality, 33,311 articles")
    busy: Figure = Figure(0.7, "of the time", "assumed", "beyond which queries wait for one another")
    serve_node: Figure = Figure(16, "cores", "assumed", "a node of ray_cluster.yaml's serve-cpu")
    gpu_node: Figure = Figure(8, "cores/GPU", "assumed", "a node of its serve-gpu")
    core_hour: Figure = Figure(0.05, "USD/core-h", "assumed", "list prices of clouds; --core-hour")


FIGURES = Figures()


class TrainingFigures(NamedTuple):
    """What a plan of training takes for granted beside those."""

    trained_query: Figure = Figure(32, "tokens/query", "assumed", "titles and sentences")
    core_training: Figure = Figure(1.1e11, "FLOP/core-s", "measured here", f"{TRAINING}, bfloat16")
    core_training_float32: Figure = Figure(8e10, "FLOP/core-s", "measured here", f"{TRAINING}, float32")
    activations: Figure = Figure(34, "B/number", "measured here", f"{TRAINING}, at most")
    """Of a token's vector, in each layer, beside its MLP's."""


TRAINING_FIGURES = TrainingFigures()


class Gpu(NamedTuple):
    """A kind of GPU."""

    flops: Figure
    """Dense products in bfloat16 (T4: float16)."""
    float32: Figure
    """Products in float32, as torch computes them unless it is told otherwise."""
    hour: Figure


def _gpu(teraflops: float, float32: float, price: float) -> Gpu:
    return Gpu(
        Figure(teraflops * 1e12, "FLOP/s", "published", "NVIDIA's data sheet, dense"),
        Figure(float32 * 1e12, "FLOP/s", "published", "NVIDIA's data sheet, float32 without tensor cores"),
        Figure(price, "USD/GPU-h", "assumed", "list prices of clouds; --gpu-hour"),
    )


GPUS = {
    "h100": _gpu(989, 67, 3.00),
    "a100": _gpu(312, 19.5, 1.80),
    "l40s": _gpu(362, 91.6, 1.20),
    "l4": _gpu(121, 30.3, 0.60),
    "a10g": _gpu(70, 35, 0.75),
    "t4": _gpu(65, 8.1, 0.35),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage takes; sizes in bytes."""

    name: str
    worker_memory: float
    """Of its largest process."""
    memory: float
    disk: float
    """What it leaves in the store."""
    temporary: float
    """What may be deleted after it."""
    core_hours: float
    gpu_hours: float
    hours: float
    """From begin to end on the given machines."""
    usd: float = 0.0
    """For the hours that are used, not for idle ones."""


@dataclass(frozen=True, slots=True)
class ServedPart:
    """What one deployment takes under a load."""

    name: str
    milliseconds: float
    """Of a core, or of a GPU where it has one, for one query."""
    replicas: int
    cores: float
    """Of all replicas; so with GPUs."""
    gpus: float
    memory: float
    """Of one replica, in bytes, with what it maps."""


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """What a service takes under a load."""

    queries: float
    """A second."""
    parts: tuple[ServedPart, ...]
    nodes: int
    gpu_nodes: int
    usd_month: float


class EncoderFigures(NamedTuple):
    """What a known encoder is made of."""

    config: str
    """Its file in infra/config/."""
    shape: Mapping[str, Any]
    """Of its config.json, what the FLOP follow from."""
    parameters: int
    tokens: Figure
    """Mean of an article with an abstract, special tokens and template included."""


def _shape(kind: str, layers: int, hidden: int, heads: int, intermediate: int, **more: int) -> dict[str, Any]:
    return {
        "model_type": kind,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
        **more,
    }


def _measured(tokens: float, by: str) -> Figure:
    return Figure(tokens, "tokens/article", "measured here", f"{MEASURE}, {by}")


def _guess(tokens: float) -> Figure:
    return Figure(tokens, "tokens/article", "assumed", "no tokenizer of it at hand; WordPieces are 294")


ENCODERS = {
    "minilm": EncoderFigures("demo.toml", _shape("bert", 6, 384, 12, 1536), 22_713_216, _measured(220, "at most 256")),
    "medcpt": EncoderFigures(
        "medcpt.toml", _shape("bert", 12, 768, 12, 3072), 109_482_240, _measured(294, "MiniLM's vocabulary")
    ),
    "bmretriever-410m": EncoderFigures(
        "bmretriever-410m.toml", _shape("gpt_neox", 24, 1024, 16, 4096), 353_822_720, _guess(330)
    ),
    "bmretriever-1b": EncoderFigures(
        "bmretriever-1b.toml", _shape("gpt_neox", 16, 2048, 8, 8192), 908_759_040, _guess(330)
    ),
    "bmretriever-2b": EncoderFigures(
        "bmretriever-2b.toml",
        _shape("gemma", 18, 2048, 8, 16384, num_key_value_heads=1, head_dim=256),
        2_506_172_416,
        _guess(310),
    ),
    "bmretriever-7b": EncoderFigures(
        "bmretriever-7b.toml", _shape("mistral", 32, 4096, 32, 14336, num_key_value_heads=8), 7_110_660_096, _guess(380)
    ),
}
"""Shapes and parameters are published: those of config.json on the model hub."""
