"""Parallel map in threads that keeps the order of its input."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def in_order(pool: ThreadPoolExecutor, function: Callable[[T], U], items: Iterable[T], ahead: int) -> Iterator[U]:
    """Map `function` over `items` in the pool, in order, with at most `ahead` items in flight."""
    waiting: deque[Future[U]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def cores() -> int:
    """Return the number of cores this process may use, or of all cores where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
