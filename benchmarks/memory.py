"""Peak memory of a piece of work, over this process and its children together.

Only anonymous and shared memory counts. Pages of mapped files, such as libraries and shards, belong to the page cache,
which the system reclaims when it needs to. A page that several processes share is counted once.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path

INTERVAL = 0.02  # seconds between two samples


def peak_mb(work: Callable[[], object]) -> float:
    """Run `work`, and return the largest memory sampled while it ran, MB."""
    done, peak = threading.Event(), [_processes_mb()]

    def watch() -> None:
        while not done.wait(INTERVAL):
            peak[0] = max(peak[0], _processes_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(peak[0], _processes_mb())


def _processes_mb() -> float:
    pids = [os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid)]
    return sum(map(_process_mb, pids))


def _process_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # the process has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))) / 1024
