import json
import logging
import sys

from actors.web.middleware.json_log import JsonFormatter


def record(message: str, *args: object, **values: object) -> logging.LogRecord:
    made = logging.LogRecord("pubray.x", logging.INFO, "file", 1, message, args, None)
    made.created = 1767225600.25
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_a_record_is_one_line_of_json() -> None:
    line = JsonFormatter().format(record("a\n%s", "b", fields={"status": 200, "text": "é\n", "odd": {1}}))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-01T00:00:00.250+00:00",
        "level": "INFO",
        "logger": "pubray.x",
        "message": "a\nb",
        "status": 200,
        "text": "é\n",
        "odd": "{1}",
    }


def test_a_traceback_is_in_the_line() -> None:
    try:
        raise ValueError("so")
    except ValueError:
        line = JsonFormatter().format(record("crashed", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: so")
