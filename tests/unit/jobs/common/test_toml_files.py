from pathlib import Path

import pytest

from jobs.common.toml_files import read_toml
from schemas.errors import UsageError


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text("a = 'é'\n[b]\nc = 1\n", encoding="utf-8")
    assert read_toml(file, "--file") == {"a": "é", "b": {"c": 1}}


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory; give"), (b"a =", "not TOML: ")])
def test_one_that_cannot_be_read_is_named_with_its_option(content: bytes | None, why: str, tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError) as error:
        read_toml(file, "--file")
    assert str(error.value).startswith(f"--file {file}: {why}")
    assert "\n" not in str(error.value)
