"""How a side times itself: warm up, then the best of several rounds, since disturbance only ever adds."""

import os
import time
from collections.abc import Callable


def seconds(work: Callable[[], object], rounds: int = 5, warm_up: int = 1) -> float:
    """Give the seconds of the fastest of `rounds` calls, after `warm_up` calls that are not counted.

    `work` must wait for its device before it returns.
    """
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def confine(cores: int) -> None:
    """Let this process and those it starts run on so many of its cores only."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
