"""Starts a night on Kubernetes and ends as it did: python -m infra.kuberay.start_night TEMPLATE

TEMPLATE is a RayJob that is suspended; a copy of it is made that is not. What is known of a job is asked for until it
has ended, or has gone; an API server that is away for a while is waited for. How the night ended is then told by its
report in the store, whatever Kubernetes says of the job. In a pod the server and the account are its own.
"""

import datetime
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
JOBS = "/apis/ray.io/v1/namespaces/{namespace}/rayjobs"
PAUSE = 15.0
"""Seconds between two looks."""
ANSWER = 15.0
"""Seconds in which a request is to be answered."""
AWAY = 1800.0
"""Seconds that the API server may be away."""
ENDED = ("Complete", "Failed", "Suspended", "ValidationFailed")
"""A jobDeploymentStatus that nothing follows."""
GONE, THERE = 404, 409
BUSY = (408, 429)


class Api:
    """The API server, as a pod's account sees it."""

    def __init__(self, server: str, namespace: str, account: Path) -> None:
        """`server` is its URL, `account` the folder of the token and of the server's certificate."""
        self._jobs = f"{server}{JOBS.format(namespace=namespace)}"
        self._account = account
        self._context = ssl.create_default_context(cafile=account / "ca.crt") if server.startswith("https") else None

    def call(self, method: str, name: str = "", content: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Make a request; None: there is no such job. What is refused is raised, a server that is away waited for."""
        begun, body = time.monotonic(), None if content is None else json.dumps(content).encode()
        while True:
            # Read each time: it is replaced every hour.
            headers = {"Authorization": f"Bearer {(self._account / 'token').read_text().strip()}"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            address = f"{self._jobs}/{name}".rstrip("/")
            request = urllib.request.Request(address, body, headers, method=method)
            try:
                with urllib.request.urlopen(request, context=self._context, timeout=ANSWER) as answer:
                    found: dict[str, Any] = json.load(answer)
                    return found
            except urllib.error.HTTPError as error:
                if error.code == GONE:
                    return None
                if error.code == THERE:  # made by a request whose answer was lost
                    return {}
                if error.code < 500 and error.code not in BUSY:
                    raise
                why = str(error)
            except (OSError, json.JSONDecodeError) as error:
                why = str(error)
            if time.monotonic() - begun > AWAY:
                raise SystemExit(f"start_night: the API server has been away for {AWAY:g} s: {why}")
            log(f"the API server is away, and asked again: {why}")
            time.sleep(PAUSE)


def main() -> int:
    """Start a night; return the exit code of `pubray runs --since`, which is the night's."""
    server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    api = Api(os.environ.get("KUBERNETES_API", server), os.environ["NAMESPACE"], ACCOUNT)
    template = sys.argv[1]
    begun = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    name = start(api, template, f"{begun:%Y%m%d-%H%M%S}")
    follow(api, name)
    command = ["pubray", "runs", "--last", "1", "--since", begun.isoformat()]
    return subprocess.run(command, check=False).returncode


def start(api: Api, template: str, suffix: str) -> str:
    """Make a copy of the template that runs; return its name. One that is there already is the one that was made."""
    found = api.call("GET", template)
    if found is None:
        raise SystemExit(f"start_night: there is no RayJob {template}; apply infra/kuberay")
    name = f"{template}-{suffix}"
    kept = {"apiVersion": found["apiVersion"], "kind": found["kind"], "spec": {**found["spec"], "suspend": False}}
    labels = found["metadata"].get("labels", {})
    if api.call("GET", name) is None:
        api.call("POST", content={**kept, "metadata": {"name": name, "labels": labels}})
    log(f"{name} begins")
    return name


def follow(api: Api, name: str) -> None:
    """Wait until a job has ended or gone; log how it goes on."""
    before = None
    while (job := api.call("GET", name)) is not None:
        status = job.get("status", {})
        now = status.get("jobDeploymentStatus", "Initializing"), status.get("jobStatus", "")
        if now != before:
            log(f"{name} is {' '.join(filter(None, now))}")
        if now[0] in ENDED:
            return
        before = now
        time.sleep(PAUSE)
    log(f"{name} is gone")


def log(line: str) -> None:
    """Write a line for `kubectl logs`."""
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
