"""What is refused before anything is started."""

import socket
from pathlib import Path

import pytest

from jobs import serve
from schemas.errors import UsageError
from tests.support.stores.store_files import config


@pytest.mark.parametrize(
    ("host", "port", "wrong"),
    [
        (None, 99999, "serve.port = 99999: input should be less than or equal to 65535"),
        (None, 0, "serve.port = 0: input should be greater than or equal to 1"),
        ("", 8000, "serve.host = '': string should have at least 1 character"),
    ],
)
def test_an_option_has_the_range_of_its_setting(tmp_path: Path, host: str | None, port: int, wrong: str) -> None:
    with pytest.raises(UsageError) as caught:
        serve.run(config(tmp_path), host=host, port=port)
    assert str(caught.value) == f"command line: {wrong}"


def test_an_option_that_is_not_given_leaves_its_setting(tmp_path: Path) -> None:
    plain = config(tmp_path, serve={"host": "0.0.0.0", "port": 8123, "cors_origins": ["*"]})
    assert serve.listening(plain, host=None, port=None) == plain
    changed = serve.listening(plain, host=None, port=8124)
    assert changed.serve == plain.serve.model_copy(update={"port": 8124})


def test_a_port_in_use_is_to_be_chosen_anew() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"at 127.0.0.1:{port}: Address already in use; choose .* with --port"):
            serve.check_port("127.0.0.1", port)
    serve.check_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "pubray.invalid", "a..b", "x" * 64])
def test_a_host_that_is_not_this_machines_is_to_be_chosen_anew(host: str) -> None:
    with pytest.raises(UsageError, match=f"cannot listen at {host}:8123: .*; choose another with --host"):
        serve.check_port(host, 8123)
