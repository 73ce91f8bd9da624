"""What is kept of logs: the end of each, what workers complain of, and no secrets."""

import re
from collections.abc import Mapping

MOST = 1_000_000
"""Bytes of a log that are kept, the last ones."""
SHORTEST = 6
"""Characters of a secret; what is shorter is a word of the text too."""
_SECRET = "key|secret|token|password|signature|credential"
_NAME = re.compile("KEY|SECRET|TOKEN|PASSWORD|NOTIFY", re.IGNORECASE)
_IN_QUERY = re.compile(rf"([?&][\w.-]*(?:{_SECRET})[\w.-]*=)[^&\s\"'<>]+", re.IGNORECASE)
_BEFORE_HOST = re.compile(r"(://)[^/@\s\"'<>]+(@)")
_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.MULTILINE)
_MARKS = re.compile(r"^(?::(?:job_id|task_name|actor_name):|\[.*\] logging\.cc:).*\n?", re.MULTILINE)
"""Lines by which Ray says whose lines follow, and how it logs."""


def without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """Put *** in the place of what variables hold whose names say so, and of keys and passwords in addresses."""
    values = [part for name, value in environment.items() if _NAME.search(name) for part in (value, *value.split(","))]
    for value in sorted((value.strip() for value in values), key=len, reverse=True):
        if len(value) >= SHORTEST:
            text = text.replace(value, "***")
    return _BEFORE_HOST.sub(r"\1***\2", _IN_QUERY.sub(r"\1***", text))


def last_lines(text: str, most: int = MOST) -> str:
    """Return the last lines of a text that are at most so many bytes together."""
    content = text.encode(errors="replace")
    if len(content) <= most:
        return text
    return content[-most:].partition(b"\n")[2].decode(errors="replace")


def lines_since(text: str, time: str) -> str:
    """Return the lines from the first on that begins with such a time, "2026-11-30 22:05:24", or a later one."""
    found = (line.start() for line in _TIME.finditer(text) if line[0] >= time)
    return text[next(found, len(text)) :]


def complaints(text: str) -> str:
    """Return what a worker wrote to stderr, without the marks of Ray."""
    return _MARKS.sub("", text).strip()
