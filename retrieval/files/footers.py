"""Footers of Parquet objects of a bucket: of each, no more is fetched than it has, and once in a process.

Arrow itself fetches the last 64 KB each time that it opens one.
"""

from collections import OrderedDict

import pyarrow as pa
import pyarrow.parquet as pq

GUESS = 1 << 14
"""Bytes that are fetched first, in which most footers are whole."""
ENDING = 8
"""Bytes at the very end: the footer's size, and PAR1."""
KEPT = 32

_kept: OrderedDict[tuple[str, bytes], pq.FileMetaData] = OrderedDict()


def footer_of(source: pa.NativeFile, name: str) -> pq.FileMetaData | None:
    """Return the footer of an object; None: it is to be read by who says best what is wrong with it.

    A footer is kept under the tag that a server gives to what an object holds, so that one which was put anew is read
    anew.
    """
    key = (name, source.metadata().get("ETag", b""))
    if found := _kept.get(key):
        _kept.move_to_end(key)
        return found
    size = source.size()
    tail = source.read_at(min(size, GUESS), max(0, size - GUESS))
    wanted = int.from_bytes(tail[-ENDING:-4], "little") + ENDING
    if tail[-4:] != b"PAR1" or wanted > size:
        return None
    if wanted > len(tail):
        tail = source.read_at(wanted - len(tail), size - wanted) + tail
    footer = pq.read_metadata(pa.BufferReader(tail[-wanted:]))
    if key[1]:
        _kept[key] = footer
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    return footer
