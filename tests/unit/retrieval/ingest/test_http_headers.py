from datetime import UTC, datetime

import pytest

from retrieval.ingest.http_headers import content_range, retry_after_seconds

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("Thu, 01 Jan 2026 12:01:30 GMT", 90),
        ("Thu, 01 Jan 2026 12:01:30 -0000", 90),
        ("Thu, 01 Jan 2026 14:01:30 +0200", 90),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
    ],
)
def test_seconds_and_dates_of_retry_after(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "start", "total"),
    [
        ("bytes 10-19/20", 10, 20),
        ("bytes 10-19/*", 10, None),
        ("bytes */20", None, 20),
        ("items 1-2/3", None, None),
        ("", None, None),
    ],
)
def test_start_and_total_of_content_range(value: str, start: int | None, total: int | None) -> None:
    assert content_range(value) == (start, total)
