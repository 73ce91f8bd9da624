"""Where the digests of the API keys come from: the file that the configuration names, and the environment."""

from collections.abc import Mapping
from pathlib import Path

from actors.web.middleware.front import key_digests
from schemas.config import ServeConfig
from schemas.errors import UsageError

VARIABLE = "PUBRAY_API_KEYS_SHA256"


def load_key_digests(config: ServeConfig, environment: Mapping[str, str]) -> frozenset[str]:
    """Return the digests of serve.api_keys and of PUBRAY_API_KEYS_SHA256, comma-separated; none if neither is set.

    Raises:
        UsageError: the file cannot be read, or one that is set holds no digest, or something else.
    """
    digests: frozenset[str] = frozenset()
    if config.api_keys is not None:
        origin = f"serve.api_keys {config.api_keys}"
        try:
            lines = Path(config.api_keys).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{origin}: cannot be read: {getattr(error, 'strerror', 'not text')}") from None
        digests |= key_digests(lines, origin)
    if VARIABLE in environment:
        digests |= key_digests(environment[VARIABLE].split(","), VARIABLE)
    return digests
