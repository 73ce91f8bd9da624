"""Run by an interpreter of its own, which has Matplotlib and nothing of pubray: index_plot.py POINTS.json IMAGE.png.

Draws recall@10 against queries/s: one colour an index, the memory as the size of a mark, a ring around what is served.
"""

import json
import sys
from pathlib import Path

import matplotlib  # type: ignore[import-not-found,unused-ignore]

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # type: ignore[import-not-found,unused-ignore]

MEGABYTE_AREA = 8.0
"""Square points per MB."""
LEAST = 0.8
"""Recall below it is left out."""


def main() -> None:
    """Draw."""
    points = json.loads(Path(sys.argv[1]).read_text())
    figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
    for name in dict.fromkeys(point["name"] for point in points):
        own = [p for p in points if p["name"] == name and p["recall_at_10"] >= LEAST]
        shown = best(own) + [p for p in own if p["served"]]
        memory = max((p["bytes"] for p in own), default=0) / 1e6
        axes.scatter(
            [p["queries_per_second"] for p in shown],
            [p["recall_at_10"] for p in shown],
            s=[p["bytes"] / 1e6 * MEGABYTE_AREA for p in shown],
            alpha=0.6,
            label=f"{name}, {memory:,.0f} MB",
        )
    served = [p for p in points if p["served"]]
    axes.scatter(
        [p["queries_per_second"] for p in served],
        [p["recall_at_10"] for p in served],
        s=160,
        facecolors="none",
        edgecolors="black",
        label="as served",
    )
    axes.set_xscale("log")
    axes.set(xlabel="queries/s of one thread, one at a time", ylabel="recall@10", title="33 thousand articles, 384-d")
    axes.grid(alpha=0.3)
    legend = axes.legend(loc="lower left", fontsize=8)
    for handle in legend.legend_handles:
        handle.set_sizes([40])
    figure.savefig(sys.argv[2], dpi=120)


def best(points: "list[dict[str, float]]") -> "list[dict[str, float]]":
    """Return those that no other of the same index beats in both."""
    return [
        p
        for p in points
        if not any(
            q["recall_at_10"] >= p["recall_at_10"] and q["queries_per_second"] > p["queries_per_second"] for q in points
        )
    ]


if __name__ == "__main__":
    main()
