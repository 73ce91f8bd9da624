"""A handle to a deployment as encoder, searcher or re-ranker: what comes together is sent in one call."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from actors.service.coalescer import Coalescer
from actors.service.meter import Meter
from schemas.config import DeploymentConfig
from schemas.errors import OverloadedError, UnavailableError

LOG = logging.getLogger("pubray")


class Remote:
    """The replicas behind a handle, each of which holds one `Part`: it has the methods of the object in there.

    They are async and take and return lists. Items that come together for one method are sent in one call.

    Raises:
        OverloadedError: every replica is busy, and as many wait as may.
        UnavailableError: two replicas died over it.
        PubrayError: an item is refused.
    """

    def __init__(self, name: str, handle: DeploymentHandle[Any], settings: DeploymentConfig, meter: Meter) -> None:
        """`name` is said in errors and metrics."""
        self._name, self._settings, self._meter = name, settings, meter
        # By gRPC, whatever the driver's environment says: half the time and CPU of Ray's own calls.
        self._handle: DeploymentHandle[Any] = handle.options(_by_reference=False)
        self._methods: dict[str, Coalescer[Any, Any]] = {}

    def __getattr__(self, method: str) -> Callable[[Sequence[Any]], Coroutine[Any, Any, list[Any]]]:
        if method.startswith("_"):
            raise AttributeError(method)
        if method not in self._methods:
            self._methods[method] = Coalescer(
                partial(self._call, method),
                name=self._name,
                calls=self._settings.calls,
                batch=self._settings.max_batch_size,
                waiting=self._settings.max_waiting,
            )
        return self._methods[method].ask

    async def _call(self, method: str, items: list[Any]) -> Sequence[Any]:
        """Ask a replica, and another one if it dies meanwhile: all methods only read."""
        self._meter.call(self._name, len(items), sum(method.waiting for method in self._methods.values()))
        for last in (False, True):
            response = self._handle.call.remote(method, items)
            try:
                return list(await response)
            except asyncio.CancelledError:
                response.cancel()  # type: ignore[no-untyped-call]
                raise
            except BackPressureError:
                raise OverloadedError(f"every {self._name} is busy; try again") from None
            except (RayActorError, DeploymentUnavailableError):
                if last:
                    raise UnavailableError(f"the {self._name} does not answer; try again") from None
                LOG.warning("a replica of the %s died over %s; another is asked", self._name, method)
        raise AssertionError
