"""What really went wrong: Ray wraps an error of a worker in errors of its own, each naming its cause."""

from schemas.errors import PubrayError


def root_cause(error: BaseException) -> BaseException:
    """Return the `PubrayError` that a chain of errors wraps, or the outermost error if there is none."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or link in seen:
            continue
        if isinstance(link, PubrayError) and not hasattr(link, "cause"):
            return link
        seen.append(link)
        cause = getattr(link, "cause", None)
        waiting += [link.__context__, link.__cause__, cause if isinstance(cause, BaseException) else None]
    return error
