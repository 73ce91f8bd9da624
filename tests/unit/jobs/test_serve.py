"""What is refused before anything is started."""

import socket
from pathlib import Path

import pytest

from jobs import serve
from jobs.serve import load_key_digests
from schemas.config import ServeConfig
from schemas.errors import UsageError
from tests.support.stores.store_files import config

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


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


def test_by_default_there_are_none() -> None:
    assert load_key_digests(ServeConfig(), {}) == frozenset()


def test_those_of_the_file_and_of_the_environment_all_open(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# of A\n{A}\n")
    config = ServeConfig(api_keys=str(tmp_path / "keys"))
    assert load_key_digests(config, {"PUBRAY_API_KEYS_SHA256": f"{B}, {C}"}) == {A, B, C}


@pytest.mark.parametrize("text", ["", "# later\n", "\udcff"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text, errors="surrogateescape")
    with pytest.raises(UsageError, match=r"serve\.api_keys"):
        load_key_digests(ServeConfig(api_keys=str(tmp_path / "keys")), {})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no-keys: cannot be read: No such file"):
        load_key_digests(ServeConfig(api_keys=str(tmp_path / "no-keys")), {})


def test_a_variable_that_is_empty_does_not_open_the_service() -> None:
    with pytest.raises(UsageError, match="PUBRAY_API_KEYS_SHA256: no key"):
        load_key_digests(ServeConfig(), {"PUBRAY_API_KEYS_SHA256": ""})
