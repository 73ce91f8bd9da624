"""The golden data that are shipped, and how a comparison with them is told."""

from collections.abc import Sequence
from pathlib import Path

from jobs.common.config import ROOT
from jobs.common.console import table
from jobs.common.toml_files import read_toml
from schemas.errors import UsageError
from schemas.golden import Check, Golden, parse_golden

GOLDEN = ROOT / "infra" / "verify"
DIGITS = 4
"""Decimals shown."""


def find_golden(encoder: str) -> Golden:
    """Return the golden data of an encoder.

    Raises:
        UsageError: there are none.
    """
    found = [read_golden(file) for file in sorted(GOLDEN.glob("*.toml"))]
    for golden in found:
        if encoder in golden.encoders:
            return golden
    known = ", ".join(name for golden in found for name in golden.encoders)
    raise UsageError(f"encoder {encoder!r}: no published values, only of {known}; name another --config, or --golden")


def read_golden(file: Path) -> Golden:
    """Read a file of golden data.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    return parse_golden(read_toml(file, "--golden"), str(file))


def show_checks(checks: Sequence[Check], golden: Golden) -> str:
    """Return the comparison as a table."""
    rows = [
        [check.what, _numbers(check.expected), _numbers(check.got), f"{check.difference:.1e}", _verdict(check)]
        for check in checks
    ]
    headers = ["what", "expected", "got", "difference", f"(up to {golden.tolerance:g})"]
    return f"expected: {golden.source}\n{table(headers, rows)}"


def _verdict(check: Check) -> str:
    return "PASS" if check.passed else "FAIL"


def _numbers(values: tuple[float, ...]) -> str:
    """Write numbers out; of a vector there are two ends."""
    texts = [f"{value:.{DIGITS}f}" for value in values]
    half = len(texts) // 2
    return " ".join([*texts[:half], "…", *texts[half:]]) if half else texts[0]
