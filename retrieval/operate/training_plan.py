"""What runs of training take: hours, memory, disk, USD. Arithmetic from `schemas.figures`; no run was made on a GPU.

FLOP are those of `retrieval.train.flops`. Texts are as long as they are on average; memory is for texts as long as they
may be. Reading, evaluations and keeping states are not counted.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from retrieval.embed.rates import MLP_MATRICES, forward_flops
from retrieval.operate import memory
from retrieval.operate.planning import Planner, Step
from retrieval.train.flops import passes, tokens_at_once
from schemas.figures import Stage, TrainingFigures
from schemas.quality_report import TrainPlanReport
from schemas.training import RerankerTrainConfig, RunConfig

FLOAT32, BFLOAT16 = 4, 2
"""Bytes of a number."""
STATES = 2
"""That a run keeps, and the best one where it looks for that."""
OF_A_STATE = 3
"""Weights, and AdamW's two moments of each."""
SHARED = ("gpu_use", "engine_memory", "core_hour")
"""Figures of other stages that training takes too."""


class Run(NamedTuple):
    """One of training."""

    name: str
    of: RunConfig
    texts: list[float]
    """Tokens of those of an example."""
    tokens: int
    """Of all texts whose activations are in memory at once, padding included; they go through in so many …"""
    chunks: int
    towers: int
    start: int
    """How many models there are beside those that are trained: the start model's towers."""


def training_plan(plan: Planner, figures: TrainingFigures, gpu: str) -> TrainPlanReport:
    """Return what `[train]` takes on such GPUs, and `[train_reranker]` where it says anything.

    A re-ranker is taken to be as large as a tower.
    """
    of, known = plan.config.train, plan.figures._asdict()
    runs = [_retriever(plan, figures)]
    if plan.config.train_reranker != RerankerTrainConfig():
        runs.append(_reranker(plan, figures))
    taken = {"tokens": plan.encoder.tokens, **figures._asdict(), **{name: known[name] for name in SHARED}}
    if any(run.of.num_gpus for run in runs):
        kind = plan.scale.gpu
        taken |= {"gpu_peak": kind.flops, "gpu_float32": kind.float32, "gpu_hour": kind.hour}
    return TrainPlanReport(
        encoder=plan.config.encoder.name,
        steps=of.steps,
        pairs=of.accumulate * of.batch,
        gpus=of.workers * of.num_gpus,
        gpu=gpu if of.num_gpus else None,
        stages=tuple(_stage(plan, figures, run) for run in runs),
        figures=taken,
    )


def _retriever(plan: Planner, figures: TrainingFigures) -> Run:
    encoder = plan.config.encoder
    query = min(plan.config.train.query_length, encoder.query.max_length)
    article = min(plan.config.train.article_length, encoder.article.max_length)
    of = plan.config.train.model_copy(update={"query_length": query, "article_length": article})
    articles = 1 + of.hard_negatives
    towers = 2 if of.untied or encoder.query.model != encoder.article.model else 1
    pairs = math.ceil(of.batch / of.workers)
    return Run(
        "train-retriever",
        of,
        texts=[min(query, figures.trained_query.value), *[min(article, plan.encoder.tokens.value)] * articles],
        tokens=tokens_at_once(of),
        chunks=1 if of.cached else math.ceil(pairs * (1 + articles) / of.chunk),
        towers=towers,
        start=towers,
    )


def _reranker(plan: Planner, figures: TrainingFigures) -> Run:
    of, articles = plan.config.train_reranker, 1 + plan.config.train_reranker.hard_negatives
    text = min(of.length, figures.trained_query.value + plan.encoder.tokens.value)
    return Run("train-reranker", of, texts=[text] * articles, tokens=tokens_at_once(of), chunks=1, towers=1, start=0)


def _stage(plan: Planner, figures: TrainingFigures, run: Run) -> Stage:
    of, half = run.of, run.of.precision == "bfloat16"
    examples = of.steps * of.accumulate * of.batch
    computed = passes(of, plan.encoder.shape["num_hidden_layers"])
    flops = examples * computed * forward_flops(plan.encoder.shape, [round(tokens) for tokens in run.texts])
    if of.num_gpus:
        peak = plan.scale.gpu.flops if half else plan.scale.gpu.float32
        gpu_seconds = flops / (peak.value * plan.figures.gpu_use.value)
        seconds = gpu_seconds / (of.workers * of.num_gpus)
        step = Step(of.workers * seconds, of.workers, gpu_seconds=gpu_seconds)
    else:
        rate = figures.core_training if half else figures.core_training_float32
        cores = min(plan.scale.cores, of.workers * of.threads or plan.scale.cores)
        step = Step(flops / rate.value, cores)
    model, learnt = FLOAT32 * plan.encoder.parameters * run.towers, _learnt(plan, run)
    others = FLOAT32 * plan.encoder.parameters * run.start + (model if of.lora.rank else 0)
    parts = of.workers if of.spread else 1
    held = memory.of_gpu_in_training(learnt / parts, others / parts, _activations(plan, figures, run))
    states = (STATES + bool(of.evaluate_every)) * OF_A_STATE * learnt
    return plan.stage(run.name, (held, of.workers * held), model, states, [step])


def _learnt(plan: Planner, run: Run) -> float:
    """Return the bytes of the weights that are learnt."""
    of_tower = plan.encoder.parameters
    if rank := run.of.lora.rank:
        of_tower = rank * _widths(plan.encoder.shape)
    return FLOAT32 * of_tower * run.towers


def _widths(shape: Mapping[str, Any]) -> int:
    """Return the numbers that go into the linear layers of a model and come out of them, all together."""
    hidden, heads = shape["hidden_size"], shape["num_attention_heads"]
    head_dim = shape.get("head_dim") or hidden // heads
    attention = 4 * hidden + 2 * head_dim * (heads + (shape.get("num_key_value_heads") or heads))
    mlp = MLP_MATRICES[shape["model_type"]] * (hidden + shape["intermediate_size"])
    return int(shape["num_hidden_layers"] * (attention + mlp))


def _activations(plan: Planner, figures: TrainingFigures, run: Run) -> float:
    """Return the bytes that are kept for the backward pass, weights in bfloat16 among them.

    Of a token each layer keeps so many bytes per number of its vector, and of each matrix of its MLP but the last two
    results. Layers that compute again keep what they were given, and one of them all of that at a time.
    """
    shape, half = plan.encoder.shape, run.of.precision == "bfloat16"
    layers, hidden, width = int(shape["num_hidden_layers"]), int(shape["hidden_size"]), BFLOAT16 if half else FLOAT32
    of_mlp = 2 * (MLP_MATRICES[shape["model_type"]] - 1) * int(shape["intermediate_size"]) * width
    of_token = figures.activations.value * hidden + of_mlp
    copy = BFLOAT16 * plan.encoder.parameters if half else 0
    if not run.of.checkpoint_activations:
        return run.tokens * layers * of_token + run.chunks * copy
    given = run.tokens * layers * FLOAT32 * hidden
    # While a pass lasts, of weights that are learnt all copies are kept, of others those of a layer.
    return given + run.tokens / run.chunks * of_token + copy / (layers if run.of.lora.rank else 1)
