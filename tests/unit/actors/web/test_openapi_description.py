from typing import Any

from actors.web.api import create_app
from actors.web.middleware.front import Front
from tests.support.service.seams import SECONDS, Shelf, joined


def described(front: Front | None = None) -> dict[str, Any]:
    return create_app(joined(Shelf([1])), SECONDS, front).openapi()


def test_an_error_is_described_as_a_problem() -> None:
    schema = described()
    assert set(schema["components"]["schemas"]["Problem"]["properties"]) >= {"title", "status", "detail", "request_id"}
    answer = schema["paths"]["/v1/search"]["post"]["responses"]["422"]
    assert [*answer["content"]] == ["application/problem+json"]
    assert "HTTPValidationError" not in str(schema)


def test_a_key_is_described_only_where_one_is_needed() -> None:
    assert "security" not in described()
    schema = described(Front(frozenset({"0" * 64})))
    assert schema["security"] == [{"bearer": []}, {"key": []}]
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "key"}
    assert schema["paths"]["/healthz"]["get"]["security"] == []
    assert "security" not in schema["paths"]["/version"]["get"]
