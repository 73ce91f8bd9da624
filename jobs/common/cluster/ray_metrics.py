"""Ray metrics of the jobs and of the service: what a dashboard shows while they run."""

import httpx
import ray
from ray.util.metrics import Counter, Gauge, Histogram

from actors.service.meter import Meter
from schemas.errors import UnavailableError
from schemas.vector import EmbedCounts


class EmbedMetrics:
    """A counter `pubray_embed_<name>` for each of `EmbedCounts` that only grows, exported by its process."""

    def __init__(self) -> None:
        self._counters = {
            name: Counter(f"pubray_embed_{name}", description=field.description or name.replace("_", " "))
            for name, field in EmbedCounts.model_fields.items()
            if name != "probe_cosine"
        }

    def add(self, counts: EmbedCounts) -> None:
        for name, counter in self._counters.items():
            if value := getattr(counts, name):
                counter.inc(value)


SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]
ITEMS: list[float] = [1, 2, 4, 8, 16, 32, 64]
CANDIDATES: list[float] = [1, 10, 20, 50, 100, 200, 500, 1000]


class ServiceMetrics(Meter):
    """The `Meter` of an api replica, exported by its process; names in infra/monitoring are tested against it."""

    def __init__(self) -> None:
        self._stage = Histogram("pubray_stage_seconds", "of a request", boundaries=SECONDS, tag_keys=("stage",))
        self._items = Histogram("pubray_call_items", "items of a call", boundaries=ITEMS, tag_keys=("part",))
        self._waiting = Gauge("pubray_waiting", "items that wait for a call", tag_keys=("part",))
        self._answers = Counter("pubray_answers", "queries answered", tag_keys=("version", "cached", "degraded"))
        self._candidates = Histogram("pubray_candidates", "articles re-ranked for a query", boundaries=CANDIDATES)

    def stage(self, name: str, seconds: float) -> None:
        self._stage.observe(seconds, {"stage": name})

    def call(self, part: str, items: int, waiting: int) -> None:
        self._items.observe(items, {"part": part})
        self._waiting.set(waiting, {"part": part})

    def answered(self, version: str, *, cached: bool, degraded: bool, candidates: int) -> None:
        self._answers.inc(1, {"version": version, "cached": str(cached), "degraded": str(degraded)})
        if candidates:
            self._candidates.observe(candidates)


async def node_metrics() -> str:
    """Return the metrics of all processes of this node, Ray's and Serve's own too, as Ray exports them.

    Raises:
        UnavailableError: Ray's exporter does not answer.
    """
    here = ray.get_runtime_context().get_node_id()
    [node] = [node for node in ray.nodes() if node["NodeID"] == here]  # type: ignore[no-untyped-call]
    try:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics")
    except httpx.HTTPError:
        raise UnavailableError("the exporter of metrics does not answer; try again") from None
    return answer.text
