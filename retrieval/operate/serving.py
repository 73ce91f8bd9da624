"""What a service of so many queries a second takes: replicas, nodes, USD. Arithmetic from `schemas.figures`.

Queries are taken to come evenly, and none to be answered from what is kept. A re-ranked query is the dearest by far:
its candidates are whole articles for a model.
"""

import math

from retrieval.embed.rates import forward_flops
from retrieval.index.tuning import nprobe_for
from retrieval.operate import memory
from retrieval.operate.planning import ROW_NUMBER, Planner
from schemas.config import DeploymentConfig
from schemas.figures import ServedPart, ServingPlan

MONTH = 730.0
"""Hours."""
FEWEST = 2
"""Nodes that searchers and the api are on: one may be lost."""


def serving_plan(plan: Planner, queries: float) -> ServingPlan:
    """Return what so many queries a second take; each is re-ranked where the configuration says so."""
    serve, f, rows = plan.config.serve, plan.figures, plan.scale.articles
    shards = plan.config.index.num_shards
    tokens = f.query_tokens.value
    probed = min(1.0, (plan.config.index.nprobe or nprobe_for(plan.nlist)) / plan.nlist) * rows / shards
    scan = probed * (plan.code_bytes() + ROW_NUMBER) / f.scanning.value
    lists = rows / shards * (plan.code_bytes() + ROW_NUMBER) + 2 * plan.quantizer_bytes()
    held = memory.of_searcher(rows // shards, lists) + rows / shards * 2 * plan.dimension
    parts = [
        _part(plan, "api", serve.api, queries, f.answering.value, memory.PROCESS),
        *(
            _part(
                plan,
                "searcher" if shards == 1 else f"searcher-{n}",
                serve.searcher,
                queries,
                f.searching.value + scan,
                held,
            )
            for n in range(shards)
        ),
        _model(plan, "encoder", serve.encoder, queries, [tokens]),
    ]
    if plan.config.rerank.kind != "none":
        pairs = [min(512.0, plan.encoder.tokens.value + tokens)] * plan.config.rerank.candidates
        parts.append(_model(plan, "reranker", serve.reranker, queries, pairs))
    cpu = [part for part in parts if not part.gpus]
    gpus = math.ceil(sum(part.gpus for part in parts))
    cores = sum(part.cores for part in cpu)
    nodes = max(FEWEST, math.ceil(cores / f.serve_node.value))
    usd = (nodes * f.serve_node.value + gpus * f.gpu_node.value) * f.core_hour.value + gpus * plan.scale.gpu.hour.value
    return ServingPlan(queries, tuple(parts), nodes, gpus, MONTH * usd)


def _model(plan: Planner, name: str, settings: DeploymentConfig, queries: float, texts: list[float]) -> ServedPart:
    """Return what a model takes that each query puts so many texts through, of so many tokens."""
    flops, f = forward_flops(plan.encoder.shape, [round(tokens) for tokens in texts]), plan.figures
    on_gpu = settings.num_gpus > 0 and plan.scale.gpus > 0
    rate = plan.scale.gpu.flops.value * f.gpu_use.value if on_gpu else f.core_encoding.value
    own = settings if on_gpu else settings.model_copy(update={"num_gpus": 0})
    return _part(plan, name, own, queries, flops / rate, plan.engine_memory())


def _part(
    plan: Planner, name: str, settings: DeploymentConfig, queries: float, seconds: float, held: float
) -> ServedPart:
    """Return as many replicas as are busy for no more than they may be. seconds: of a core or GPU for a query."""
    has = settings.num_gpus or max(1.0, settings.num_cpus)
    replicas = max(settings.min_replicas, math.ceil(queries * seconds / (has * plan.figures.busy.value)))
    cores = replicas * max(settings.num_cpus, 0.0 if settings.num_gpus else 1.0)
    return ServedPart(name, seconds * 1e3, replicas, cores, replicas * settings.num_gpus, held)
