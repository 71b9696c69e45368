"""Progress of long work: a bar on a terminal, an occasional line in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import track as _bar

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int | None = None, every: float = 30.0) -> Iterator[T]:
    """Yield `items` and report progress: a rich bar on a terminal, else one line every `every` seconds."""
    if sys.stderr.isatty():
        yield from _bar(items, description=description, total=total)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= every:
            last = now
            print(f"{description}: {done}{f' of {total}' if total else ''}, {done / (now - start):.1f}/s", flush=True)
