"""Random nights against a plain model: kills, races, rollbacks, changed settings, lost files, wrong clocks, full disks.

    make campaign [ARGS="--minutes 60 --seed 7 --tree FOLDER"]

A round is a new store and some steps. After each step what CURRENT serves must be what a plain replay of the source
files says: each article once, with its own texts and its own vector. What is driven is the command line of a checkout
(`--tree`, default this one), so that an older state can be attacked too. A round ends at its first fault, which is
printed with the steps that led to it; the seed makes the same steps again, but not the same races.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jobs.common.console import say
from tests.campaign.round import FaultError, Round
from tests.campaign.steps import STEPS, Step, night

ROOT = Path(__file__).parents[2]
STEPS_A_ROUND = 8


def main() -> int:
    """Attack until the time is over; return 1 if something was found."""
    parser = argparse.ArgumentParser(description="Random nights against a plain model.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose commands are run")
    parser.add_argument("--steps", nargs="*", choices=[step.__name__ for step in STEPS], help="these alone")
    options = parser.parse_args()
    steps = [step for step in STEPS if options.steps is None or step.__name__ in options.steps]
    end, done, faults, number = time.monotonic() + 60 * options.minutes, Counter[str](), Counter[str](), 0
    say(f"seed {options.seed}")
    while time.monotonic() < end:
        rng = random.Random(f"{options.seed}-{number}")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            play(Round(options.tree.resolve(), Path(folder), rng), steps, number, end, done, faults)
        number += 1
    say(f"{number} rounds; steps: {dict(done)}; faults: {dict(faults) or 'none'}")
    return 1 if faults else 0


def play(of: Round, among: Sequence[Step], number: int, end: float, done: Counter[str], faults: Counter[str]) -> None:
    """Play one round."""
    steps, last = [], ""
    try:
        for step in [night, *of.rng.choices(among, [STEPS[step] for step in among], k=STEPS_A_ROUND)]:
            last = step.__name__
            steps.append(last)
            step(of)
            done[last] += 1
            if time.monotonic() > end:
                break
    except (FaultError, subprocess.TimeoutExpired) as fault:
        faults[last] += 1
        say(f"round {number}, {'PubMed names' if of.world.pubmed else 'other names'}: {' > '.join(steps)}: {fault}")
    else:
        say(f"round {number}: {' > '.join(steps)}: as it should be")
    finally:
        of.store.close()


if __name__ == "__main__":
    sys.exit(main())
