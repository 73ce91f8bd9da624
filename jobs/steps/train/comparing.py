"""A trained model beside the one that is configured, by what was held out."""

from typing import Any

import ray

from actors.fetch.stored_models import weight_bytes
from actors.train.held_out import read_held_out
from actors.train.reranker.ordered_ndcg import ordered_ndcg
from actors.train.retriever.found_ndcg import found_ndcg
from actors.train.training_run import Kind, TrainPlan
from jobs.common.cluster.placement import free_cores, place
from retrieval.evaluate.scores import mean_difference
from retrieval.operate import memory
from schemas.config import Config
from schemas.training_report import HeldOutFigures

MEASURES: dict[Kind, Any] = {"retriever": found_ndcg, "reranker": ordered_ndcg}


@ray.remote
def compare(config: Config, values: dict[str, Any], plan: TrainPlan, threads: int) -> dict[str, HeldOutFigures]:
    """Measure the configured models and the trained one by what was held out."""
    held_out = read_held_out(config, plan, decides=False)
    before, after = (MEASURES[plan.kind](of, held_out, threads) for of in (config, config.with_values(**values)))
    return {
        signal: HeldOutFigures(
            queries=len(old),
            before=old.mean(),
            after=after[signal].mean(),
            difference=mean_difference(after[signal] - old),
        )
        for signal, old in before.items()
    }


def compared(config: Config, values: dict[str, Any], plan: TrainPlan) -> dict[str, HeldOutFigures]:
    """Compare the trained model with what is configured; values: those of a configuration that uses it."""
    threads = free_cores(config, "check")
    held = 2 * memory.of_engine(weight_bytes(config.encoder.article, config))
    task = compare.options(**place(config.placement, "check", held, cores=threads))
    figures: dict[str, HeldOutFigures] = ray.get(task.remote(config, values, plan, threads))
    return figures
