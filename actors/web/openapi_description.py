"""What an application's description, `/openapi.json`, says beyond what FastAPI knows of it: errors and keys."""

from typing import Any

from fastapi import FastAPI

from actors.web.middleware.api_keys import OPEN
from schemas.search import Problem

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def describe(app: FastAPI, *, keys: bool) -> None:
    """Let an application's description have the form of a problem, and how a key is given if one is needed."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        schema = plain()
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        schema["components"]["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
        if keys:
            schema["components"]["securitySchemes"] = SCHEMES
            schema["security"] = [{name: []} for name in SCHEMES]
            for path in OPEN & {*schema["paths"]}:
                schema["paths"][path]["get"]["security"] = []
        return schema

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's documentation has it
