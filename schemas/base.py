"""What every exchanged JSON or TOML value has in common: immutable, closed, canonical when hashed."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: it cannot be changed, and a field that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def digest(value: Any) -> str:
    """Return 16 hex digits of a sha256 over `value` as canonical JSON: the id of whatever was made from it."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def is_whole(text: str) -> bool:
    """Return whether a text has a form in UTF-8: JSON can spell half a character (a lone surrogate), which has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
