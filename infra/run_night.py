"""Runs a night on a cluster, from cron, a systemd timer or CI, and ends with its exit code (docs/operate.md):

    RAY_ADDRESS=http://127.0.0.1:8265 PUBRAY_STORE=s3://BUCKET/pubray infra/run-night [--config FILE] -- --source ncbi

What stands behind `--` are options of `pubray nightly`. The job goes on where the connection breaks, and is followed
again when it is back. Where the driver was lost, the night's report in the store says how it ended.
"""

import asyncio
import datetime
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import aiohttp
from ray.job_submission import JobDetails, JobSubmissionClient

ROOT = Path(__file__).parents[1]
PAUSE, AWAY = 2.0, 3600.0
"""Seconds between two questions, and for how long nobody may answer."""
INTERRUPTED = 130
BROKEN = (OSError, RuntimeError, aiohttp.ClientError)
"""What the client raises when the cluster does not answer."""

T = TypeVar("T")


def main() -> int:
    """Submit the night, follow it; return its exit code."""
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    general, options = words[:cut], words[cut + 1 :]
    if not options:
        say("no options of pubray nightly; as in: infra/run-night -- --source ncbi")
        return 2
    if not (store := os.environ.get("PUBRAY_STORE")):
        say("set PUBRAY_STORE: the night and what asks for its end have to mean the same store")
        return 2
    begun = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    environment = {"working_dir": str(ROOT), "env_vars": {"PUBRAY_STORE": store}}
    # The cluster gives it to a shell, so words are quoted.
    entrypoint = shlex.join(["pubray", *general, "nightly", *options])
    try:
        client = JobSubmissionClient()
        job = client.submit_job(entrypoint=entrypoint, runtime_env=environment)
    except BROKEN as error:
        say(f"no night was started: {error}")
        return 1
    try:
        ended = follow(client, job)
    except KeyboardInterrupt:
        say(f"the night goes on as job {job}: ray job stop {job}")
        return INTERRUPTED
    if ended.driver_exit_code is not None and ended.driver_exit_code >= 0:
        return ended.driver_exit_code
    say(f"its driver was lost: {ended.message}")
    command = ["pubray", *general, "runs", "--last", "1", "--since", begun.isoformat()]
    return subprocess.run(command, check=False).returncode


def follow(client: JobSubmissionClient, job: str) -> JobDetails:
    """Print what a job logs until it has ended; return how."""
    printed = 0

    async def tail() -> None:
        nonlocal printed
        seen = 0  # the log is told from its beginning
        async for text in client.tail_job_logs(job):
            sys.stdout.write(text[max(0, printed - seen) :])
            sys.stdout.flush()
            seen += len(text)
            printed = max(seen, printed)

    while True:
        try:
            asyncio.run(tail())
        except BROKEN as error:
            say(f"the connection broke, and the night goes on: {error}")
        found = asked(lambda: client.get_job_info(job))
        if found.status.is_terminal():
            return found
        time.sleep(PAUSE)


def asked(question: Callable[[], T]) -> T:
    """Return an answer of the cluster; it may be away for a while."""
    begun = time.monotonic()
    while True:
        try:
            return question()
        except BROKEN as error:
            if time.monotonic() - begun > AWAY:
                raise SystemExit(f"run-night: the cluster has been away for {AWAY:g} s: {error}") from None
            time.sleep(PAUSE)


def say(line: str) -> None:
    """Tell who started it."""
    sys.stderr.write(f"run-night: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
