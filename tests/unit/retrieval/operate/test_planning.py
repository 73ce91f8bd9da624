from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.common.config import DEFAULT, load_config
from retrieval.embed.vector_parts import write_vector_part
from retrieval.index.centroids.quantizer_training import train_quantizer
from retrieval.operate.planning import Planner, Scale
from schemas.config import Config
from schemas.figures import ENCODERS, FIGURES, GPUS, Stage
from schemas.layout import ARTICLES, AUTHOR_ROWS, AUTHORS, DAYS, PMCID_ORDER, PMCIDS, POSTINGS, TERMS, YEARS
from tests.support.stores import corpus

SCALE = Scale(articles=40_000_000, nightly=100_000, cores=16, gpus=1, gpu=GPUS["h100"])
MEDCPT = ENCODERS["medcpt"]


def configuration(**index: Any) -> Config:
    config = load_config(str(DEFAULT.with_name(MEDCPT.config)), [], {})
    return config.model_copy(update={"index": config.index.model_copy(update=index)})


def plan(scale: Scale = SCALE, **index: Any) -> dict[str, Stage]:
    stages = Planner(configuration(**index), MEDCPT, scale, FIGURES).stages()
    return {stage.name.split()[0]: stage for stage in stages}


def planner_of(dimension: int, kind: str = "RR{dimension},IVF{nlist},RaBitQ", nlist: int = 8) -> Planner:
    config = configuration(type=kind, nlist=nlist)
    encoder = config.encoder.model_copy(update={"dimension": dimension})
    return Planner(config.model_copy(update={"encoder": encoder}), MEDCPT, SCALE, FIGURES)


FACETS = (YEARS, DAYS, TERMS, POSTINGS, AUTHORS, AUTHOR_ROWS, PMCIDS, PMCID_ORDER)


@pytest.mark.parametrize("factory", ["RR{dimension},IVF{nlist},RaBitQ", "IVF{nlist},SQ8", "IVF{nlist},Flat"])
def test_bytes_of_a_row_are_those_of_a_segments_files(factory: str, tmp_path: Path) -> None:
    rows = corpus.vectors(0, 500)
    quantizer = corpus.quantizer(factory.format(dimension=corpus.DIMENSION, nlist=8), rows)
    segment = corpus.build(tmp_path / "s", quantizer, rows, np.arange(500)).manifest
    size = sum(file.bytes for name, file in segment.files.items() if name not in (ARTICLES, *FACETS))
    header = 4 + 8 + 8 + 4 + 8 + 8 * 8  # of lists.faiss
    planner = planner_of(corpus.DIMENSION, factory)
    assert planner.code_bytes() == segment.code_size
    measured = FIGURES.articles_bytes.value + FIGURES.facets_bytes.value
    assert 500 * (planner.row_bytes() - measured) == size - header


def test_bytes_of_vectors_are_those_of_a_vector_part(tmp_path: Path) -> None:
    rows, path = 4096, tmp_path / "part.parquet"
    rng = np.random.default_rng(0)
    keys, hashes = np.arange(rows), rng.integers(0, 2**64, rows, np.uint64)
    write_vector_part(path, keys, hashes, rng.standard_normal((rows, 768)).astype(np.float16), keys >= 0)
    planned = plan(SCALE._replace(articles=rows))["embed"].disk
    assert path.stat().st_size == pytest.approx(planned, rel=0.03)


def test_bytes_of_the_quantizer_are_those_of_its_file() -> None:
    dimension, nlist = 32, 256
    sample = np.random.default_rng(0).standard_normal((1000, dimension)).astype(np.float16)
    content, _ = train_quantizer(sample, f"RR{dimension},IVF{nlist},RaBitQ", metric="l2", seed=0)
    planner = planner_of(dimension, nlist=nlist)
    index = planner.index()
    quantizer = index.disk - index.temporary
    assert len(content) == pytest.approx(quantizer, rel=0.1)


def test_the_hours_of_a_gpu_are_flop_over_flop_per_second() -> None:
    tokens = MEDCPT.tokens.value
    flops = 2 * 84_934_656 * tokens + 4 * 768 * 12 * tokens**2  # BERT base, see test_flops
    assert plan()["embed"].gpu_hours == pytest.approx(40e6 * flops / (989e12 * 0.4) / 3600)
    assert plan()["embed"].hours == plan()["embed"].gpu_hours
    assert plan(SCALE._replace(gpus=2))["embed"].hours == pytest.approx(plan()["embed"].hours / 2)


def test_many_gpus_wait_for_the_cores_that_tokenise() -> None:
    many = plan(SCALE._replace(gpus=64))["embed"]
    assert many.hours == pytest.approx(many.core_hours / 16)


def test_without_a_gpu_the_cores_encode() -> None:
    none = plan(SCALE._replace(gpus=0))
    assert all(stage.gpu_hours == 0 for stage in none.values())
    assert none["embed"].core_hours > 1000 * plan()["embed"].gpu_hours
    assert none["embed"].hours == pytest.approx(none["embed"].core_hours / 16)


def test_workers_do_not_grow_with_the_corpus_but_disk_does() -> None:
    one, two = (plan(SCALE._replace(articles=n), sample=100_000) for n in (40_000_000, 80_000_000))
    for stage in ("ingest", "embed", "index"):
        assert two[stage].disk == pytest.approx(2 * one[stage].disk, rel=0.01)
        assert two[stage].core_hours >= 1.5 * one[stage].core_hours
    assert two["ingest"].worker_memory < 1.05 * one["ingest"].worker_memory
    assert two["embed"].worker_memory == one["embed"].worker_memory


def test_shards_are_merged_side_by_side_in_less_memory_each() -> None:
    one, eight = plan(sample=1000), plan(sample=1000, num_shards=8)
    assert eight["index"].hours < one["index"].hours
    assert eight["index"].core_hours == pytest.approx(one["index"].core_hours)


def test_more_cores_shorten_what_can_be_shared() -> None:
    few, many = plan(SCALE._replace(cores=4)), plan(SCALE._replace(cores=64))
    for stage in ("ingest", "index", "night"):
        assert many[stage].hours <= few[stage].hours
        assert many[stage].core_hours == pytest.approx(few[stage].core_hours)
    assert many["ingest"].memory > few["ingest"].memory


def test_ingest_waits_for_the_network() -> None:
    records = 40e6 * FIGURES.records_per_article.value
    download = records * FIGURES.source_bytes.value / FIGURES.download.value / 3600
    assert download < plan()["ingest"].hours < download + 0.1
    assert plan(SCALE._replace(cores=1))["ingest"].hours > download + 1


def test_a_night_costs_what_changed_beside_its_checks() -> None:
    none, some, twice = (plan(SCALE._replace(nightly=n))["night"] for n in (0, 100_000, 200_000))
    for cost in ("core_hours", "gpu_hours", "disk", "temporary"):
        first, second = getattr(some, cost) - getattr(none, cost), getattr(twice, cost) - getattr(none, cost)
        assert second == pytest.approx(2 * first)
    assert (none.gpu_hours, none.temporary) == (0, 0)
    assert some.core_hours < plan()["index"].core_hours / 50
