"""What a GPU does for pubray: whether it is right, and how fast. Needs no network and no models: weights are random.

    python -m benchmarks.gpu [--device cuda|cpu] [--small] [--json]

Each part is left out where what it needs is not installed, and says so; none needs Ray. Ends with 1 if a value is below
what it must be. `--small` is to try the script itself.
"""

import argparse
import importlib
import json
import sys

import torch

from benchmarks.gpu.rows import SMALL, Row, Size
from jobs.common.console import log, say, table

PARTS = ("engine_rates", "index_rates", "training_step")


def main() -> int:
    """Run all parts, print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device, or a torch without CUDA")
    rows = [row for part in PARTS for row in found(part, options.device, SMALL if options.small else Size())]
    if options.json:
        say(json.dumps([row._asdict() | {"ok": row.ok} for row in rows]))
    else:
        name = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
        shown = [
            [row.check, row.value, row.unit, row.least, row.skipped or ("ok" if row.ok else "WRONG")] for row in rows
        ]
        say(f"{name}, torch {torch.__version__}\n{table(['check', 'value', 'unit', 'at least', ''], shown)}")
    return 0 if all(row.ok for row in rows) else 1


def found(part: str, device: str, size: Size) -> list[Row]:
    """Return the rows of a part; one that says why where there is none of it."""
    try:
        module = importlib.import_module(f"benchmarks.gpu.{part}")
    except ImportError as error:
        return [Row(part, None, "", skipped=f"left out: {error}")]
    rows = []
    for row in module.checks(device, size):
        log(f"{row.check}: {row.skipped or row.value}")
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
