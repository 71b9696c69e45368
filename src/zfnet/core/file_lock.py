"""Exclusive file locks that end with their holder, however it ends, and that hold across the nodes of a cluster.

The kernel releases a lock when its holder ends. Some network file systems keep the locks of each node apart; so the
file also says who holds it (`ProcessRecord`), and the holder touches it every minute. A lock whose record names
another machine counts as held until it has not been touched for five minutes. A record that is left behind means that
its process was killed; the next one says so and takes over.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from zfnet.core.errors import ZfnetError
from zfnet.core.process_record import ProcessRecord

BEAT = 60.0  # seconds between two signs of life
SILENCE = 300.0  # seconds without one after which a process on another machine counts as dead


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Try to lock the file `path` for the duration of the block; yield whether it succeeded.

    The file is never removed. It holds the record of its holder and is empty after a regular end.

    Raises
    ------
    ZfnetError
        The file system does not support locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        if not _lock(file.fileno(), path) or _is_held_elsewhere(path):
            yield False
            return
        _report_takeover(path)
        _write(file, ProcessRecord.of(os.getpid()).text)
        try:
            with heartbeat(path):
                yield True
        finally:
            _write(file, "")


def holder(path: Path) -> str:
    """Return who holds a lock, such as `process 123 on node4 (job 77)`."""
    return str(_record(path) or "another process")


@contextmanager
def heartbeat(path: Path) -> Iterator[None]:
    """Touch a file every minute for the duration of the block."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT):
            with suppress(OSError):
                os.utime(path)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def is_alive_elsewhere(record: ProcessRecord, path: Path) -> bool:
    """Return whether the writer of a record on another machine has touched its file within five minutes."""
    return not record.is_here and not record.is_gone and time.time() - path.stat().st_mtime < SILENCE


def _is_held_elsewhere(path: Path) -> bool:
    record = _record(path)
    return record is not None and is_alive_elsewhere(record, path)


def _record(path: Path) -> ProcessRecord | None:
    with suppress(OSError, UnicodeDecodeError):
        return ProcessRecord.parse(path.read_text(encoding="utf-8"))
    return None


def _report_takeover(path: Path) -> None:
    if record := _record(path):
        print(f"{path}: taken over from {record}, which ended without releasing it.", flush=True)


def _write(file: IO[str], text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()


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
