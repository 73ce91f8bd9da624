"""A night that is started on Kubernetes, over an API server that keeps RayJobs and is made to fail."""

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError

import pytest

from actors.store.local_store import LocalStore
from infra.kuberay import start_night
from jobs.common.run_records import NIGHT, Record
from tests.support.loopback import loopback_server

TEMPLATE = {
    "apiVersion": "ray.io/v1",
    "kind": "RayJob",
    "metadata": {"name": "pubray-night", "labels": {"app": "pubray"}, "resourceVersion": "7"},
    "spec": {"suspend": True, "entrypoint": "pubray nightly"},
}
PLACE = "/apis/ray.io/v1/namespaces/pubray/rayjobs"


class Jobs(BaseHTTPRequestHandler):
    """The part of an API server that has RayJobs; a job goes through its states, one each time that it is looked at."""

    jobs: ClassVar[dict[str, Any]] = {}
    states: ClassVar[list[str | None]] = []
    """None: it is gone."""
    refusals: ClassVar[list[int]] = []
    """Answers that come first."""
    lost: ClassVar[int] = 0
    """Jobs whose making is answered as if the server had gone."""
    seen: ClassVar[list[str]] = []
    began: ClassVar[Any] = None

    def do_GET(self) -> None:
        self.seen.append(f"GET {self.path}")
        name = self.path.removeprefix(f"{PLACE}/")
        if self._refused():
            return
        if name not in self.jobs:
            self._answer(404, {})
            return
        job = self.jobs[name]
        if name != "pubray-night" and self.states:
            state = self.states.pop(0)
            if state is None:
                del self.jobs[name]
                self._answer(404, {})
                return
            job = {**job, "status": {"jobDeploymentStatus": state, "jobStatus": state.upper()}}
        self._answer(200, job)

    def do_POST(self) -> None:
        self.seen.append(f"POST {self.path}")
        if self._refused():
            return
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if job["metadata"]["name"] in self.jobs:
            self._answer(409, {})
            return
        self.jobs[job["metadata"]["name"]] = job
        type(self).began()
        if self.lost:
            type(self).lost -= 1
            self._answer(503, {})
            return
        self._answer(201, job)

    def _refused(self) -> bool:
        if self.refusals:
            self._answer(self.refusals.pop(0), {})
            return True
        assert self.headers["Authorization"] == "Bearer of the test"
        return False

    def _answer(self, code: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    (tmp_path / "token").write_text("of the test\n")
    Jobs.jobs, Jobs.states, Jobs.refusals, Jobs.seen = {"pubray-night": TEMPLATE}, [], [], []
    for name, value in {"ACCOUNT": tmp_path, "PAUSE": 0.05, "AWAY": 5.0}.items():
        monkeypatch.setattr(start_night, name, value)
    monkeypatch.setenv("NAMESPACE", "pubray")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "unused")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setenv("PUBRAY_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", ["start_night", "pubray-night"])
    return LocalStore(str(tmp_path / "store"))


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, port: int = 0) -> Iterator[int]:
    with loopback_server(Jobs, port) as url:
        monkeypatch.setenv("KUBERNETES_API", url)
        yield int(url.rpartition(":")[2])


def nights_end(store: LocalStore, outcome: str) -> None:
    """What a job does that is begun: a night that ends so."""
    Jobs.began = lambda: Record(store, NIGHT).end(outcome, {}, None)


@pytest.mark.parametrize(
    ("states", "outcome", "code"),
    [
        (["Running", "Complete"], "done", 0),
        (["Initializing", "Running", "Failed"], "held", 6),
        (["Running", "Failed"], "done", 0),  # Ray may say so of a night that is done
        (["Running", None], "checks failed", 5),  # somebody removed it
    ],
)
def test_it_ends_as_the_report_says(
    states: list[str | None], outcome: str, code: int, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    Jobs.states = list(states)
    nights_end(store, outcome)
    with serving(monkeypatch):
        assert start_night.main() == code
    [made] = [job for name, job in Jobs.jobs.items() if name != "pubray-night"] or [None]
    if made:
        assert made["spec"] == {"suspend": False, "entrypoint": "pubray nightly"}
        assert "resourceVersion" not in made["metadata"]


def test_a_server_that_is_away_is_waited_for_and_no_second_job_is_made(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    Jobs.states, Jobs.refusals = ["Running", "Complete"], [503, 500, 429, 504]
    nights_end(store, "done")
    with serving(monkeypatch):
        assert start_night.main() == 0
    assert sum(line.startswith("POST") for line in Jobs.seen) == 1


def test_a_job_whose_making_was_not_answered_is_followed(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    Jobs.states, Jobs.lost = ["Running", "Complete"], 1
    nights_end(store, "done")
    with serving(monkeypatch):
        assert start_night.main() == 0
    assert len(Jobs.jobs) == 2


def test_two_at_once_follow_one_job(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    nights_end(store, "done")
    with serving(monkeypatch) as port, ThreadPoolExecutor(2) as pool:
        api = start_night.Api(f"http://127.0.0.1:{port}", "pubray", start_night.ACCOUNT)
        names = set(pool.map(lambda _: start_night.start(api, "pubray-night", "20261130-093000"), range(2)))
    assert names == Jobs.jobs.keys() - {"pubray-night"}


def test_one_that_goes_and_comes_back_is_asked_again(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as port:
        api = start_night.Api(f"http://127.0.0.1:{port}", "pubray", start_night.ACCOUNT)
        assert api.call("GET", "pubray-night") == TEMPLATE
    back = threading.Timer(0.3, lambda: None)
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(api.call("GET", "pubray-night")))
    asking.start()
    back.start()
    back.join()
    with serving(monkeypatch, port):
        asking.join()
    assert found == [TEMPLATE]


def test_what_is_refused_or_missing_ends_it(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch):
        Jobs.refusals = [403]
        with pytest.raises(HTTPError, match="403"):
            start_night.main()
        del Jobs.jobs["pubray-night"]
        with pytest.raises(SystemExit, match="there is no RayJob pubray-night; apply infra/kuberay"):
            start_night.main()
