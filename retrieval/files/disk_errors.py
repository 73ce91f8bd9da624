"""What a disk does not do, in one line: there is no room, it may not be written, a name is too long."""

import errno

from schemas.errors import StoreError

REMEDIES = {
    errno.ENOSPC: "make room, and run the job again",
    errno.EDQUOT: "make room, and run the job again",
    errno.EROFS: "name a folder that can be written",
    errno.EACCES: "allow it, or name another folder",
    errno.EPERM: "allow it, or name another folder",
    errno.ENOTDIR: "name a folder",
    errno.ENAMETOOLONG: "give the source file a shorter name",
    errno.EIO: "look after the disk, then run pubray status --verify",
    errno.EFBIG: "use a file system for larger files",
    errno.EMFILE: "allow more open files (ulimit -n)",
}


def told(error: OSError, path: str) -> StoreError | None:
    """Return what a user is told of an error over a file; None if it is none of these kinds."""
    if error.errno not in REMEDIES:
        return None
    named = f"{error.filename or path}: " if error.filename or path else ""
    # pyarrow has the words of its own before those of the system.
    words = str(error.strerror or error).rpartition("] ")[2]
    return StoreError(f"{named}{words[:1].lower()}{words[1:]}; {REMEDIES[error.errno]}")
