"""Reading TOML: one line says why a file cannot be read."""

import tomllib
from pathlib import Path
from typing import Any

from schemas.errors import UsageError


def read_toml(path: Path, named: str) -> dict[str, Any]:
    """Return what a file holds; `named` is by what the user did.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{named} {path}: {error.strerror}; give a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{named} {path}: not TOML: {error}; correct it there") from None
