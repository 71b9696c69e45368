"""Timing within a side: warm up, then take the fastest of several rounds, since disturbances only add time."""

import os
import time
from collections.abc import Callable


def seconds(work: Callable[[], object], rounds: int = 5, warm_up: int = 1) -> float:
    """Return the seconds of the fastest of `rounds` calls, after `warm_up` calls that are not timed.

    `work` must synchronise with its device before it returns.
    """
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def restrict_to(cores: int) -> None:
    """Restrict this process, and those it starts, to this number of its cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
