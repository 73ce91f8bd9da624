"""What stays of a log."""

import pytest

from retrieval.operate.log_text import complaints, last_lines, lines_since, without_secrets

ENVIRONMENT = {
    "PUBRAY_API_KEY": "first-key,second-key",
    "AWS_SECRET_ACCESS_KEY": "abc/def+ghi",
    "session_token": "abc/def+ghi/and-more",
    "DB_PASSWORD": "short",
    "PUBRAY_NOTIFY_URL": "https://hooks/T1/B2",
    "HOME": "/home/somebody",
}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("by abc/def+ghi.", "by ***."),
        ("by abc/def+ghi/and-more.", "by ***."),  # the longer one first
        ("keys first-key,second-key", "keys ***"),
        ("key second-key", "key ***"),
        ("POST https://hooks/T1/B2 failed", "POST *** failed"),
        ("short in /home/somebody", "short in /home/somebody"),
        ("GET http://host/v1?api_key=xyz&k=3 200", "GET http://host/v1?api_key=***&k=3 200"),
        ("'http://host/?k=3&X-Amz-Signature=0a1b'", "'http://host/?k=3&X-Amz-Signature=***'"),
        ("to https://user:pass@host/path", "to https://***@host/path"),
        ("to https://host/a@b", "to https://host/a@b"),
        ("42 tokens/article, key = value", "42 tokens/article, key = value"),
    ],
)
def test_secrets_are_not_kept(text: str, kept: str) -> None:
    assert without_secrets(text, ENVIRONMENT) == kept


def test_the_last_whole_lines_are_kept() -> None:
    assert last_lines("one\ntwo\nthree\n", 100) == "one\ntwo\nthree\n"
    assert last_lines("one\ntwo\nthree\n", 9) == "three\n"
    assert last_lines("é" * 10, 11) == ""  # no whole line is so short


def test_lines_of_runs_before_are_left_out() -> None:
    lines = [
        "2026-11-30 22:05:24,670\tDEBUG of the first",
        "  its second line",
        "2026-11-30 22:06:00,1 of the next",
        "x",
    ]
    text = "\n".join(lines)
    assert lines_since(text, "2026-11-30 22:05:24") == text
    assert lines_since(text, "2026-11-30 22:05:25") == "\n".join(lines[2:])
    assert lines_since(text, "2026-11-30 22:06:01") == lines_since("", "2026-11-30 22:06:01") == ""


def test_of_a_worker_its_own_words_are_kept() -> None:
    own = "[2026-11-30 04:42:34,730 I 28115 28115] logging.cc:303: Set ray log level from environment variable X to 3"
    assert complaints(f":job_id:01000000\n:task_name:parse\n{own}\n") == ""
    assert complaints(":job_id:01\nTraceback …\n:task_name:parse\n  at :3\n") == "Traceback …\n  at :3"
