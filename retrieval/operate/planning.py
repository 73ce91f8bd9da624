"""What an index of many articles takes: memory, disk, hours. Arithmetic from shapes, layouts and `schemas.figures`.

Memory is that of the processes, all of a stage's at once, and of what must stay mapped; sizes are bytes, times seconds
until they are put into a `Stage`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import faiss

from retrieval.embed.rates import forward_flops
from retrieval.index.tuning import nlist_for, sample_for
from retrieval.operate import memory
from schemas.config import Config
from schemas.figures import EncoderFigures, Figures, Gpu, Stage

HOUR = 3600.0
ROW_NUMBER = 8
"""Bytes of an id in a list; as many are in each file of PMIDs or hashes, and half as many in that of their order."""
KEYS = 16
"""Bytes per row of a vector part: PMID and hash."""


class Scale(NamedTuple):
    """How much there is to do, and with what."""

    articles: int
    nightly: int
    """Records of a night's files."""
    cores: int
    gpus: int
    gpu: Gpu


class Step(NamedTuple):
    """A part of a stage."""

    core_seconds: float
    width: float = 1
    """Cores that it can use."""
    beside: float = 0
    """Seconds that the network or the GPUs take meanwhile."""
    gpu_seconds: float = 0

    @property
    def seconds(self) -> float:
        return max(self.core_seconds / self.width, self.beside)


class Planner:
    """Plans the stages of one encoder, configuration and scale."""

    def __init__(self, config: Config, encoder: EncoderFigures, scale: Scale, figures: Figures) -> None:
        self.config, self.encoder, self.scale, self.figures = config, encoder, scale, figures
        self.dimension = config.encoder.dimension
        self.nlist = config.index.nlist or nlist_for(scale.articles)

    def stages(self) -> list[Stage]:
        """Return all, in the order of a first run and a night."""
        return [self.ingest(), self.embed(), self.index(), self.night()]

    def ingest(self) -> Stage:
        """Plan source files → article parts → snapshot, of a baseline and its updates. The network may be slower."""
        f, scale = self.figures, self.scale
        records = scale.articles * f.records_per_article.value
        download = records * f.source_bytes.value / f.download.value
        return self.stage(
            "ingest",
            _largest((scale.cores, memory.of_parser()), (1, memory.of_snapshot(scale.articles))),
            records * f.part_bytes.value + scale.articles * f.snapshot_bytes.value,
            records * f.source_bytes.value,
            [Step(records / f.ingest.value, scale.cores, download), Step(scale.articles / f.first_snapshot.value)],
        )

    def embed(self) -> Stage:
        """Plan articles → vector parts."""
        engine, workers = self.engine_memory(), self.scale.gpus or self.config.embed.fewest
        of_all = workers * (engine + 2 * memory.PROCESS)
        disk = self.scale.articles * self._vector_bytes()
        return self.stage("embed", (engine, of_all), disk, 0, [self._encoding(self.scale.articles)])

    def index(self) -> Stage:
        """Plan vector parts → quantizer → worker shards → segments → checks. Both of the last lie on disk at once."""
        rows, rules = self.scale.articles, self.config.index
        shards = min(self.scale.cores, rules.num_shards)
        sample = min(rules.sample or sample_for(self.nlist), rows)
        train = self.figures.rounds.value * self._assign_flops(sample) / self.figures.products.value
        workers = min(self.scale.cores, -(-rows // rules.rows_per_worker))
        training = memory.of_training(sample, self.nlist, self.dimension)
        merging = memory.of_merge(rows // rules.num_shards, self.quantizer_bytes())
        return self.stage(
            "index --full",
            _largest((1, training), (workers, self._build_memory(rows)), (shards, merging), (1, self._check_memory())),
            rows * self.row_bytes() + self.quantizer_bytes(),
            rows * self.row_bytes(),
            [Step(train, self.scale.cores), *self._build(rows, self.scale.cores, shards), *self._checks(rows)],
        )

    def night(self) -> Stage:
        """Plan one night: new files to a version with one more delta, not compacted."""
        f, scale = self.figures, self.scale
        rows = round(scale.nightly * f.night_rows.value)
        alone = (
            memory.of_snapshot(scale.articles),
            self.engine_memory(),
            self._build_memory(rows),
            self._check_memory(),
        )
        parts = scale.nightly * f.part_bytes.value + scale.articles * f.snapshot_bytes.value
        steps = [
            Step(scale.nightly / f.ingest.value, scale.cores),
            Step(scale.articles / f.next_snapshot.value + scale.articles / f.compare.value),
            *self._build(rows, self.config.index.min_workers, 1),
            *self._checks(rows),
            self._encoding(scale.nightly * f.night_encoded.value),
        ]
        return self.stage(
            "night",
            _largest((scale.cores, memory.of_parser()), *((1, of_one) for of_one in alone)),
            parts + rows * (self._vector_bytes() + self.row_bytes()),
            scale.nightly * f.source_bytes.value + rows * self.row_bytes(),
            steps,
        )

    def code_bytes(self) -> int:
        factory = self.config.index.type.format(dimension=self.dimension, nlist=1)
        return int(faiss.extract_index_ivf(faiss.index_factory(self.dimension, factory)).code_size)

    def row_bytes(self) -> float:
        """Return the bytes of an article in all files of a segment."""
        keys = ROW_NUMBER + 3 * 3 * ROW_NUMBER // 2  # of PMIDs, titles and DOIs
        measured = self.figures.articles_bytes.value + self.figures.facets_bytes.value
        return 2 * self.dimension + self.code_bytes() + keys + measured

    def quantizer_bytes(self) -> float:
        """Return the bytes of centroids and rotation."""
        return 4 * self.dimension * (self.nlist + self.dimension)

    def engine_memory(self) -> float:
        """Return what a process with one of the encoder's models takes."""
        return memory.of_engine(4 * self.encoder.parameters)

    def _encoding(self, articles: float) -> Step:
        tokens = self.encoder.tokens.value
        flops = articles * forward_flops(self.encoder.shape, [round(tokens)])
        tokenising = articles * tokens / self.figures.tokenising.value
        if self.scale.gpus:
            gpu_seconds = flops / (self.scale.gpu.flops.value * self.figures.gpu_use.value)
            return Step(tokenising, self.scale.cores, gpu_seconds / self.scale.gpus, gpu_seconds)
        return Step(tokenising + flops / self.figures.core_encoding.value, self.scale.cores)

    def _build(self, rows: int, workers: int, shards: int) -> list[Step]:
        """Return the steps from vectors to segments: each row goes to its list, and is copied twice."""
        copy = rows * self.row_bytes() / self.figures.copying.value
        assign = self._assign_flops(rows) / self.figures.products.value
        return [Step(assign + copy, min(workers, self.scale.cores)), Step(copy, shards)]

    def _checks(self, new: int) -> list[Step]:
        """Return the two checks of a version: all PMIDs are read, and of the rows the new ones."""
        f = self.figures
        return [Step(self.scale.articles / f.compare.value), Step(new * 2 * self.dimension / f.exact_search.value)]

    def stage(
        self, name: str, processes: tuple[float, float], disk: float, temporary: float, steps: Sequence[Step]
    ) -> Stage:
        """Return a stage of steps, one after the other. processes: memory of the largest, and of all at once."""
        core_hours = sum(step.core_seconds for step in steps) / HOUR
        gpu_hours = sum(step.gpu_seconds for step in steps) / HOUR
        hours = sum(step.seconds for step in steps) / HOUR
        usd = core_hours * self.figures.core_hour.value + gpu_hours * self.scale.gpu.hour.value
        return Stage(name, *processes, disk, temporary, core_hours, gpu_hours, hours, usd)

    def _assign_flops(self, rows: float) -> float:
        return 2 * rows * self.dimension * (self.nlist + self.dimension)

    def _vector_bytes(self) -> float:
        return 2 * self.dimension + KEYS

    def _build_memory(self, rows: int) -> float:
        held = min(rows, self.config.index.rows_per_worker)
        return memory.of_worker(held, self.dimension, self.quantizer_bytes())

    def _check_memory(self) -> float:
        return memory.of_checks(self.scale.articles, self.quantizer_bytes())


def _largest(*processes: tuple[int, float]) -> tuple[float, float]:
    """Return the memory of the largest process, and of all at once, of kinds that run one after the other.

    processes: of each kind how many there are side by side, and the memory of one.
    """
    return max(of_one for _, of_one in processes), max(count * of_one for count, of_one in processes)
