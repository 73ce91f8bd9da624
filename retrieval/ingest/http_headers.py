"""What the headers of an HTTP answer say to somebody who fetches a file in pieces (RFC 9110)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


def retry_after_seconds(value: str, now: datetime) -> float:
    """Return what a Retry-After header asks for, seconds or a date (RFC 9110, 10.2.3); 0 for what is neither."""
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0  # the header is advice, and the back-off does without
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def content_range(value: str) -> tuple[int | None, int | None]:
    """Return at which byte an answer starts and how long the whole is, from its Content-Range; None: not said."""
    match = _CONTENT_RANGE.fullmatch(value)
    if not match:
        return None, None
    return int(match[1]) if match[1] else None, None if match[2] == "*" else int(match[2])
