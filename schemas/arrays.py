"""Arrays by what they hold; where a shape is not said, they have one dimension."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)
"""Of a function on arrays of any."""
Pmids = NDArray[np.int64]
Rows = NDArray[np.float16]
"""Vectors as they are stored: (rows, dimension)."""
Floats = NDArray[np.float32]
"""Vectors as they are computed with, (n, dimension), or scores."""
Vector = NDArray[np.float32]
"""One of them: (dimension,)."""
Mask = NDArray[np.bool_]
"""Which of some rows: (rows,)."""
RowNumbers = NDArray[np.int64]
"""Rows of a segment; -1 for none."""
StoredRowNumbers = NDArray[np.uint32]
"""The same as files hold them."""
Lists = NDArray[np.int64]
"""Numbers of inverted lists."""
Codes = NDArray[np.uint8]
"""Vectors as an index codes them: (rows, bytes)."""
