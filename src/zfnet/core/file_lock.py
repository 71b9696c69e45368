"""Exclusive file locks that the kernel releases when their holder ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zfnet.core.errors import ZfnetError


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Try to lock the file `path` for the duration of the block; yield whether it succeeded.

    The file is never removed. It holds the process id of its last holder.

    Raises
    ------
    ZfnetError
        The file system does not support locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        locked = _lock(file.fileno(), path)
        if locked:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        yield locked


def holder(path: Path) -> str:
    """Return the process id written in a lock file, or `unknown`."""
    with suppress(OSError):
        return path.read_text(encoding="ascii").strip() or "unknown"
    return "unknown"


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise ZfnetError(
            f"{path}: this file system does not support locks ({error.strerror}); "
            "put the results, or TMPDIR, on one that does, such as a local disk."
        ) from None
    return True
