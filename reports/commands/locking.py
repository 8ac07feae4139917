"""A lock on an open file that ends with the process that holds it, however that ends."""

from __future__ import annotations

import errno
import sys

BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def lock(handle: int) -> bool:
    """Lock the open file without waiting; False where another process has it.

    The system releases it when the file is closed or the process killed. A file system that has
    no locks gives none, and the run goes on: better than not to run there.

    Args:
        handle: a file descriptor, open for writing.
    """
    try:
        _try(handle)
    except OSError as error:
        return error.errno not in BUSY
    return True


if sys.platform == "win32":
    import msvcrt

    def _try(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
