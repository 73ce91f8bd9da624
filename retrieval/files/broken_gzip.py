"""What tells that a file is not whole gzip."""

import zlib
from gzip import BadGzipFile
from typing import cast

from isal import isal_zlib

# isal declares its error class as if it were an instance.
BROKEN_GZIP = (EOFError, zlib.error, BadGzipFile, cast("type[Exception]", isal_zlib.error))
"""What reading a source file raises that is not whole gzip."""
