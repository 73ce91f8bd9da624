"""What a service takes under a load, by arithmetic that can be done by hand."""

import pytest

from jobs.common.config import DEFAULT, load_config
from retrieval.operate.planning import Planner, Scale
from retrieval.operate.serving import serving_plan
from schemas.figures import ENCODERS, FIGURES, GPUS, ServedPart, ServingPlan


def planned(queries: float, *overrides: str, articles: int = 40_000_000, gpus: int = 1) -> ServingPlan:
    config = load_config(str(DEFAULT.with_name("medcpt-cluster.toml")), overrides, {})
    scale = Scale(articles, 0, 16, gpus, GPUS["l4"])
    return serving_plan(Planner(config, ENCODERS["medcpt"], scale, FIGURES), queries)


def by_name(plan: ServingPlan) -> dict[str, ServedPart]:
    return {part.name: part for part in plan.parts}


def test_no_part_is_busy_for_longer_than_it_may_be_and_one_replica_fewer_would_be() -> None:
    few, many = by_name(planned(1)), by_name(planned(500))
    assert few.keys() == many.keys() == {"api", "searcher", "encoder", "reranker"}
    for name, part in many.items():
        of_one = (part.gpus or part.cores) / part.replicas
        wanted = 500 * part.milliseconds / 1e3 / FIGURES.busy.value
        assert (part.replicas - 1) * of_one < wanted <= part.replicas * of_one or part.replicas == few[name].replicas
    assert many["reranker"].replicas > few["reranker"].replicas


def test_shards_share_scan_and_memory() -> None:
    one, four = by_name(planned(100)), by_name(planned(100, "index.num_shards=4"))
    shard = four["searcher-3"]
    assert {name for name in four if name.startswith("searcher")} == {f"searcher-{n}" for n in range(4)}
    fixed = FIGURES.searching.value * 1e3
    assert shard.milliseconds - fixed == pytest.approx((one["searcher"].milliseconds - fixed) / 4)
    assert shard.memory < one["searcher"].memory / 2


def test_lists_and_rows_of_a_searcher_are_in_memory() -> None:
    rows = 40e6 * 2 * 768
    lists = 40e6 * (768 / 8 + 8 + 8)
    assert lists < by_name(planned(1))["searcher"].memory - rows < 1.5 * lists


def test_without_gpus_models_run_on_cores_and_without_a_reranker_there_is_none() -> None:
    plan = planned(10, 'rerank.kind="none"', gpus=0)
    assert by_name(plan).keys() == {"api", "searcher", "encoder"}
    assert (plan.gpu_nodes, by_name(plan)["encoder"].gpus) == (0, 0)
    assert by_name(plan)["encoder"].cores >= 1


def test_usd_are_those_of_the_nodes() -> None:
    plan = planned(50)
    month = 730 * (plan.nodes * 16 + plan.gpu_nodes * 8) * FIGURES.core_hour.value
    assert plan.usd_month == pytest.approx(month + 730 * plan.gpu_nodes * GPUS["l4"].hour.value)
