"""Headers that keep a browser from making more of a response than it is."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
"""For JSON: nothing of it is to be run, shown in a frame or guessed at. A page brings a policy of its own."""


def with_security_headers(app: ASGIApp) -> ASGIApp:
    """Wrap an application: its responses have `HEADERS`, where they do not bring their own."""

    async def secured_app(scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, receive, secured)

    return secured_app
