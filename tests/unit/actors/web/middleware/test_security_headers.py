from starlette.responses import PlainTextResponse

from actors.web.middleware.security_headers import HEADERS, with_security_headers
from tests.support.service.serving import ask


def test_what_a_response_has_already_is_kept() -> None:
    page = PlainTextResponse("page", headers={"Content-Security-Policy": "default-src 'self'"})
    headers = ask(with_security_headers(page), "GET", "/").headers
    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers["x-content-type-options"] == HEADERS["x-content-type-options"] == "nosniff"
