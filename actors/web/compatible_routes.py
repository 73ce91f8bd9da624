"""The routes of other services' protocols. A wrong request is a 400 there, as their clients expect."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from actors.service.model_service import ModelService
from actors.web.middleware.explanations import explain
from actors.web.score_routes import add_score_routes
from actors.web.vector_routes import add_vector_routes
from schemas.errors import ProtocolError


class CompatibleRoute(APIRoute):
    """A route that answers 400 where ours answer 422."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise ProtocolError(explain(error)) from None

        return handler


def compatible_routes(models: ModelService, seconds: float) -> APIRouter:
    """Return the routes, whose requests may take so long."""
    routes = APIRouter(route_class=CompatibleRoute)
    add_vector_routes(routes, models, seconds)
    add_score_routes(routes, models, seconds)
    return routes
