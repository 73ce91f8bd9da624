"""Run by an interpreter of its own, which has Matplotlib and nothing of pubray: nights_plot.py NIGHTS.json IMAGE.png.

Draws what each night took: its seconds, what it fetched and stored, its requests, its USD; a dot where it compacted.
"""

import json
import sys
from pathlib import Path

import matplotlib  # type: ignore[import-not-found,unused-ignore]

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # type: ignore[import-not-found,unused-ignore]

PANELS = {"seconds": 1.0, "fetched": 1e-6, "stored": 1e-6, "requests": 1.0, "usd": 100.0}
UNITS = {"fetched": "MB fetched", "stored": "MB stored", "usd": "US cents"}


def main() -> None:
    """Draw."""
    nights = json.loads(Path(sys.argv[1]).read_text())
    figure, all_axes = plt.subplots(len(PANELS), figsize=(8, 9), sharex=True, layout="constrained")
    for axes, (name, scale) in zip(all_axes, PANELS.items(), strict=True):
        values = [night[name] * scale for night in nights]
        merged = [number for number, night in enumerate(nights) if night["compacted"]]
        axes.bar(range(len(values)), values, alpha=0.7)
        axes.plot(merged, [values[number] for number in merged], "o", color="black")
        axes.set_ylabel(UNITS.get(name, name))
        axes.grid(alpha=0.3)
    all_axes[-1].set_xlabel("night")
    figure.savefig(sys.argv[2], dpi=100)


if __name__ == "__main__":
    main()
