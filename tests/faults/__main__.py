"""Faults in the middle of a night, and what becomes of it: each at a random moment of a random stage.

    make faults [ARGS="--runs 60 --seed 7 --ceph --matrix docs/faults.md"]

A night over made files is disturbed once, in a folder or in a bucket, and run again until it ends well. Then all must
be as after an undisturbed one: the version and every byte of it, what `gc` leaves, no upload that was begun. Meanwhile
CURRENT must have answered at any time, and its epoch must never have gone back. A fault that comes after its stage has
ended counts for the stage that it met; one that meets none is tried again.
"""

import argparse
import random
import signal
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from jobs.common.console import say, table
from tests.faults.disturbed import FAULTS, KILLED_SERVER, Disturbed, Fault
from tests.faults.nights import STAGES, Nights

TRIES = 4
"""Of a fault that comes too late."""


def main() -> int:
    """Disturb nights; return 1 if one was not as it should be."""
    parser = argparse.ArgumentParser(description="Faults in the middle of a night.")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--ceph", action="store_true", help="a bucket of Ceph, whose gateway is killed too")
    parser.add_argument("--matrix", type=Path, help="write what was found there, as a table")
    options = parser.parse_args()
    rng, found, wrong = random.Random(options.seed), defaultdict[tuple[str, str, str], list[Disturbed]](list), 0
    rows: list[list[object]] = []
    faults = (*FAULTS, *([KILLED_SERVER] if options.ceph else []))
    # A script that begins this with `&` has it ignored, and then each night too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    say(f"seed {options.seed}")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Nights.beside_a_server(Path(folder), ceph=options.ceph) as nights,
    ):
        for number in range(options.runs):
            fault, stage = faults[number % len(faults)], rng.choice(STAGES)
            done = disturbed(nights, fault, stage, rng)
            found[done.place, fault.name, done.stage].append(done)
            wrong += bool(done.wrong)
            say(f"{number + 1}: {done.line}")
            rows = [[*key, len(them), *summary(them)] for key, them in sorted(found.items())]
            if options.matrix:
                command = f"--runs {number + 1} --seed {options.seed}{' --ceph' if options.ceph else ''}"
                write_matrix(options.matrix, rows, command)
    say(table(["store", "fault", "stage", "runs", "it ended with", "runs after it", "wrong"], rows))
    return 1 if wrong else 0


def disturbed(nights: Nights, fault: Fault, stage: str, rng: random.Random) -> Disturbed:
    """Return what became of a night that a fault met."""
    done = Disturbed.by(nights, fault, stage, rng)
    for _ in range(TRIES):
        if done.met:
            break
        done = Disturbed.by(nights, fault, stage, rng)
    return done


def summary(them: list[Disturbed]) -> list[object]:
    """Return how the disturbed nights ended, how many were run after them, and what was wrong at last."""
    codes = sorted({one.ended for one in them})
    again = sorted({one.again for one in them})
    return [
        ", ".join(codes),
        "–".join(str(count) for count in sorted({again[0], again[-1]})),
        sum(map(len, (one.wrong for one in them))),
    ]


def write_matrix(file: Path, rows: list[list[object]], command: str) -> None:
    """Write the table between the marks of a page, under the options by which it was made."""
    head, _, rest = file.read_text().partition("<!-- matrix -->")
    _, _, tail = rest.partition("<!-- end -->")
    lines = ["| store | fault | at stage | runs | the night ended with | runs after it | losses |", "|" + " --- |" * 7]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    text = f'\n`make faults ARGS="{command}"`:\n\n' + "\n".join(lines) + "\n"
    file.write_text(f"{head}<!-- matrix -->\n{text}\n<!-- end -->{tail}")


if __name__ == "__main__":
    sys.exit(main())
