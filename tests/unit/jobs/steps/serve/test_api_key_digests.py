from pathlib import Path

import pytest

from jobs.steps.serve.api_key_digests import load_key_digests
from schemas.config import ServeConfig
from schemas.errors import UsageError

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


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
