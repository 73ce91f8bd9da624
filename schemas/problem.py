"""An error as clients get it."""

from pydantic import Field

from schemas.base import Frozen


class OpenAIError(Frozen):
    """An error as OpenAI's clients read it."""

    message: str
    type: str
    code: str


class Problem(Frozen):
    """An error as RFC 9457 problem JSON."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str = Field(description="By which the service's log names the request.")
    error: OpenAIError | None = Field(None, description="The same for OpenAI's clients, on their routes only.")
