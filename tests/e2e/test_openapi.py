"""Requests made from the API's own description: whatever comes, the answer is one that the description names."""

import hashlib
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from actors.web.api import create_app
from actors.web.middleware.front import Front
from tests.support.service.seams import SECONDS, Favours, Shelf, joined

KEY = "a key"
APP = create_app(
    joined(Shelf([3, 1, 2], {2: "doc-b"}), Favours({2: 1.0})),
    SECONDS,
    Front(key_digests=frozenset({hashlib.sha256(KEY.encode()).hexdigest()})),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]

api = schemathesis.openapi.from_asgi("/openapi.json", APP, headers={"x-api-key": KEY})


@api.parametrize()
@settings(max_examples=8, suppress_health_check=[*HealthCheck], derandomize=True)
def test_every_answer_is_as_described(case: Case[Any]) -> None:
    case.call_and_validate(headers={"x-api-key": KEY}, checks=CHECKS)


@pytest.mark.whole
@api.parametrize()
@settings(max_examples=40, suppress_health_check=[*HealthCheck], derandomize=True)
def test_every_one_of_many_answers_is_as_described(case: Case[Any]) -> None:
    case.call_and_validate(headers={"x-api-key": KEY}, checks=CHECKS)
