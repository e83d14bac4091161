"""Reads files that users name: never more than asked for, and never waiting for a pipe that nobody writes to."""

import errno
import os
import stat
from pathlib import Path

DESCRIPTORS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""Files that are open already, as a shell's `<(...)` gives them: they may be pipes."""


def read_bounded(path: Path, limit: int) -> bytes:
    """A file's content, at most `limit` + 1 bytes of it: whoever judges its size sees that it is too large.

    Raises OSError where it cannot be read, also for what is no regular file (a device, a named pipe, a folder).
    """
    # Without O_NONBLOCK, opening a named pipe waits for somebody who writes to it.
    given = str(path).startswith(DESCRIPTORS)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if given else os.O_NONBLOCK))
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not given and not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "no regular file (- reads stdin)", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(limit + 1)
    finally:
        os.close(descriptor)
