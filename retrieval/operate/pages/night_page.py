"""The page of a night: one HTML file that needs nothing else, for the engineer who is paged."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from retrieval.operate.pages.charts import Line, line, shares
from retrieval.operate.pages.page_frame import duration, head, in_words, rendered, size, usd
from schemas.night_report import NightRecord
from schemas.report import IngestReport
from schemas.run import NightFigures, Run

NIGHTS = 30
"""That the lines go over."""
NAMES = 20
"""Of files that are told of in a line."""
LINE = (220, 44)
"""Width and height of a line."""
CHANGES = {
    "added": "added",
    "revised_text": "revised in text",
    "revised_metadata": "revised in metadata",
    "deleted": "deleted",
}


class Night(NamedTuple):
    """A night among the last ones."""

    run: str
    day: str
    mood: str
    outcome: str
    this: bool


class Tile(NamedTuple):
    """A figure of tonight, and over the last nights."""

    name: str
    text: str
    line: Line | None
    lowest: str = ""
    highest: str = ""


class Change(NamedTuple):
    """What became of some articles."""

    name: str
    articles: int
    share: float
    """Of the most frequent change."""
    samples: dict[str, str]


class StageBar(NamedTuple):
    """What a stage took, and its shares of the largest among them; None: it goes on, or writes nothing."""

    name: str
    seconds: float | None
    share: float
    did: str = ""
    bytes: int | None = None
    bytes_share: float = 0
    usd: float | None = None
    usd_share: float = 0


class View(NamedTuple):
    """All that the template is told beside the head."""

    night: NightRecord
    before: Run | None
    nights: list[Night]
    tiles: list[Tile]
    changes: list[Change]
    stages: list[StageBar]


def night_page(night: NightRecord, runs: Sequence[Run], store: str) -> str:
    """Return the page of a night; `runs` are the last ones of the store, oldest first, this one among them."""
    nights = [run for run in runs if run.job == night.job and run.run <= night.run][-NIGHTS:]
    view = View(
        night=night,
        before=next((run for run in reversed(nights) if run.run != night.run), None),
        nights=[_night(run, night.run) for run in nights],
        tiles=list(_tiles([run.figures if isinstance(run.figures, NightFigures) else None for run in nights])),
        changes=_changes(night.ingest) if night.ingest and _has_news(night) else [],
        stages=_stages(night),
    )
    in_stage = f" in {night.stage}" if night.stage else ""
    subject, warnings = f"night of {night.started[:10]}", list(_warnings(night))
    return rendered(
        "night.html",
        head(night, subject, store, reached=in_stage, warnings=warnings),
        view=view,
        width=LINE[0],
        height=LINE[1],
    )


def _night(run: Run, this: str) -> Night:
    mood, words = in_words(run.outcome)
    return Night(run.run, run.started[:10], mood, words, run.run == this)


def _tiles(figures: Sequence[NightFigures | None]) -> Iterator[Tile]:
    def tile(name: str, of: Callable[[NightFigures], float | None], text: Callable[[float], str]) -> Tile:
        values = [of(one) if one else None for one in figures]
        drawn = line(values, *LINE)
        bounds = (text(drawn.lowest), text(drawn.highest)) if drawn else ("", "")
        last = values[-1] if values else None
        return Tile(name, "–" if last is None else text(last), drawn, *bounds)

    yield tile("articles", lambda one: one.articles, "{:,.0f}".format)
    yield tile("encoded", lambda one: one.encoded, "{:,.0f}".format)
    yield tile("encoded per second", lambda one: one.articles_per_second, "{:,.1f}".format)
    yield tile("recall@10", lambda one: one.recall_at_10, "{:.4f}".format)
    yield tile("canaries that find", lambda one: one.canaries, "{:.1%}".format)
    yield tile("index", lambda one: one.bytes, size)
    yield tile("dead rows", lambda one: one.dead_rows, "{:,.0f}".format)
    yield tile("duration", lambda one: one.seconds, duration)
    yield tile("cost", lambda one: one.usd, usd)


def _has_news(night: NightRecord) -> bool:
    """Return whether the counts of its snapshot are what this night brings."""
    return bool(night.ingest and night.ingest.ingested) or bool(night.index and night.index.built)


def _changes(ingest: IngestReport) -> list[Change]:
    counts = [getattr(ingest, kind) for kind in CHANGES]
    return [
        Change(name, count, share, ingest.samples.get(kind, {}))
        for (kind, name), count, share in zip(CHANGES.items(), counts, shares(counts), strict=True)
    ]


def _stages(night: NightRecord) -> list[StageBar]:
    ingest, embed, index, compact = night.ingest, night.embed, night.index, night.compact
    told: dict[str, tuple[str, int | None]] = {}
    if ingest:
        told["ingest"] = f"{ingest.ingested:,} new of {ingest.files:,} files", ingest.bytes
    if embed:
        told["embed"] = f"{embed.encoded:,} encoded, {embed.copied:,} copied", embed.bytes
    if index:
        done = f"{index.segments:,} segments, {index.articles:,} articles" if index.built else "was there"
        told["index"] = done, index.new_bytes if index.built else 0
    if compact:
        told["compact"] = compact.reason, compact.new_bytes if compact.compacted else 0
    of_time, of_bytes, of_usd = (
        _shares(night.seconds, values)
        for values in (night.seconds, {name: bytes for name, (_, bytes) in told.items()}, night.usd)
    )
    bars = []
    for name, seconds in night.seconds.items():
        did, bytes = told.get(name, ("", None))
        cost = night.usd.get(name)
        bars.append(StageBar(name, seconds, of_time[name], did, bytes, of_bytes[name], cost, of_usd[name]))
    going_on = night.stage if night.outcome == "running" else None
    return [*bars, StageBar(going_on, None, 0)] if going_on else bars


def _shares(stages: Iterable[str], values: Mapping[str, float | None]) -> dict[str, float]:
    """Return of each stage the share of its value of the greatest one."""
    names = list(stages)
    return dict(zip(names, shares([values.get(name) or 0 for name in names]), strict=True))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def _warnings(night: NightRecord) -> Iterator[str]:
    yield from night.failures
    if ingest := night.ingest:
        if ingest.gaps:
            yield f"Update files are missing: {_some(ingest.gaps)}"
        if ingest.waited_for:
            yield f"Done without update files that were not whole at NCBI: {_some(ingest.waited_for)}"
        if ingest.left_out:
            yield f"Source files that are left out: {_some(ingest.left_out)}"
        for reason, count in ingest.rejected.items():
            samples = ingest.rejected_samples.get(reason, [])
            more = [*samples, "…"] if count > len(samples) else samples
            yield f"Records rejected: {count:,}, {reason} ({', '.join(more)})"
    if night.withdrawn and night.index:
        yield f"Version {night.index.version} was withdrawn before, and is promoted by name alone"
    if night.held:
        yield f"Version {night.held} is held: somebody has changed CURRENT while it was made"
    yield from (f"The version before was promoted by name: {why}" for why in night.by_name)
    if night.not_served:
        yield f"Promoted, but not served: {night.not_served}"
    made = night.compact or night.index
    if made and made.advice:
        yield made.advice
