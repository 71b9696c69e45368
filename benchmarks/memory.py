"""Most memory that a piece of work held, this process and its children together.

Only memory of their own is counted, with what they share among themselves: pages of mapped files, such as libraries and
shards, are the system's cache, which it takes back when it needs to. Each shared page is counted once.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path

EVERY = 0.02  # seconds between two looks


def peak_mb(work: Callable[[], object]) -> float:
    """Do the work; give the most MB held at any look."""
    done, peak = threading.Event(), [_family_mb()]

    def watch() -> None:
        while not done.wait(EVERY):
            peak[0] = max(peak[0], _family_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(peak[0], _family_mb())


def _family_mb() -> float:
    pids = [os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid)]
    return sum(map(_own_mb, pids))


def _own_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))) / 1024
