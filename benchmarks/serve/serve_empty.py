"""Ray Serve with the service's deployments and nothing in them: the limit of benchmarks/serve.

    python -m benchmarks.serve.serve_empty PORT

An api that asks an encoder and then a searcher, by gRPC as jobs/steps/serve/deployments.py does, each of which
returns at once; the answer is as long as one of ten articles.
"""

import sys
import tempfile
from typing import Any

from fastapi import FastAPI, Response
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.handle import DeploymentHandle

from jobs.common.cluster.joining import connect
from jobs.common.config import load_config
from jobs.serve import wait

ANSWER = b'{"hits":"' + b"x" * 15_000 + b'"}'
VECTOR = b"x" * 1536
OPTIONS: dict[str, Any] = {"ray_actor_options": {"num_cpus": 0.1}, "max_ongoing_requests": 100}
app = FastAPI()


@serve.deployment(**OPTIONS)
class Part:
    """What a call does when nothing is to be done."""

    async def call(self, item: bytes) -> bytes:
        """Return it."""
        return item


@serve.deployment(**OPTIONS)
@serve.ingress(app)
class Api:
    """The HTTP side."""

    def __init__(self, encoder: DeploymentHandle[Any], searcher: DeploymentHandle[Any]) -> None:
        """Take the handles."""
        self._parts = [part.options(_by_reference=False) for part in (encoder, searcher)]

    @app.get("/readyz")
    async def ready(self) -> None:
        """Say that it answers."""

    @app.post("/v1/search")
    async def search(self, _request: dict[str, Any]) -> Response:
        """Ask both parts."""
        encoder, searcher = self._parts
        vector = await encoder.call.remote(VECTOR)
        await searcher.call.remote(vector)
        return Response(ANSWER, media_type="application/json")


def main() -> None:
    """Serve until the process is ended."""
    connect(load_config(None, [], {"PUBRAY_STORE": tempfile.gettempdir()}))
    serve.start(http_options=HTTPOptions(host="127.0.0.1", port=int(sys.argv[1])))
    serve.run(Api.bind(Part.options(name="encoder").bind(), Part.options(name="searcher").bind()))  # type: ignore[attr-defined]
    wait()


if __name__ == "__main__":
    main()
