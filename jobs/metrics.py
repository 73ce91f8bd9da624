"""Ray metrics of the jobs: what a dashboard shows while one runs."""

from ray.util.metrics import Counter

from schemas.vector import EmbedCounts


class EmbedMetrics:
    """A counter `pubray_embed_<name>` for each of `EmbedCounts`, exported by the process that made it."""

    def __init__(self) -> None:
        self._counters = {
            name: Counter(f"pubray_embed_{name}", description=field.description or name.replace("_", " "))
            for name, field in EmbedCounts.model_fields.items()
        }

    def add(self, counts: EmbedCounts) -> None:
        """Count what was done for one more range."""
        for name, counter in self._counters.items():
            if value := getattr(counts, name):
                counter.inc(value)
