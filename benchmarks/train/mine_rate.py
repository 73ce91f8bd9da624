"""Part `mine` of benchmarks/train: the job beside what it cannot do without, the encoding of its queries."""

import time
from collections.abc import Iterator
from statistics import median

from actors.embed.towers import QueryTower
from actors.engine.cpu_threads import available_threads
from actors.store.local_store import LocalStore
from benchmarks.train.train_rows import Row, ratio
from benchmarks.train.train_store import TrainStore
from jobs.common.store import read_current
from schemas.layout import Layout
from schemas.protocols import Query


def mine(store: TrainStore, steps: int, rounds: int) -> Iterator[Row]:
    """Let the two take turns; the time of the job is what it reports, with the start of Ray."""
    objects = LocalStore(str(store.root))
    if read_current(objects) is None:
        for job in ("embed", "index", "promote"):
            store.job(job)
    tower = QueryTower(store.config(), available_threads())
    found: dict[str, list[float]] = {"mine": [], "of one pair": [], "encoding": []}
    for _ in range(rounds):
        found["of one pair"].append(mined(store, 1)[1])
        pairs, seconds = mined(store, 10**9)
        found["mine"].append(seconds)
        with objects.parquet(Layout.pairs(pairs)) as file:
            columns = file.read(columns=["query", "instruction"]).to_pydict()
        queries = [Query(*of) for of in zip(columns["query"], columns["instruction"], strict=True)]
        tower.encode(queries[:64])  # to warm up
        start = time.perf_counter()
        tower.encode(queries)
        found["encoding"].append(time.perf_counter() - start)
    for name, times in found.items():
        yield Row(f"seconds, {name}", median(times))
    yield Row("queries", len(queries))
    yield Row("mine, of bare encoding of its queries", ratio(found["encoding"], found["mine"]), least=0.9)
    longer = [whole - least for whole, least in zip(found["mine"], found["of one pair"], strict=True)]
    yield Row("the same without what one pair takes", ratio(found["encoding"], longer))


def mined(store: TrainStore, limit: int) -> tuple[str, float]:
    """Mine a set anew; return its id, and the seconds."""
    report = store.job("mine", mine__limit=limit)
    if not report["new"]:
        (store.root / Layout.pairs(report["pairs"])).unlink()
        report = store.job("mine", mine__limit=limit)
    return report["pairs"], report["seconds"]
