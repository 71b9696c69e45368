"""Scaling: the rate of the loader with 1, 2 and 4 threads, and the memory of loader and sharding with more images.

Images are generated once and repeated under other keys. A ratio of 1 in the rows of memory means constant memory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import loader, memory, photos, sharding
from benchmarks.harness import Bench, Row
from zfnet.data.loader import Shards

THREADS = (1, 2, 4)
SQUARES, QUICK_SQUARES = (1000, 10_000, 50_000), (250, 500, 1000)  # for the loader
ORIGINALS, QUICK_ORIGINALS = (250, 1000, 4000), (10, 20, 30)  # for sharding
DISTINCT, QUICK_DISTINCT = 250, 10
READ = 2000  # images read from each set, spread over all of it


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield rates by threads, then memory by images; the peer of a row is the first row of its kind."""
    counts, originals = (QUICK_SQUARES, QUICK_ORIGINALS) if bench.quick else (SQUARES, ORIGINALS)
    distinct = QUICK_DISTINCT if bench.quick else DISTINCT
    whole = photos.squares(bench.work, counts[-1], distinct)
    sets = {count: photos.first_shards(whole, count) for count in counts}
    yield from _threads(bench, sets[counts[0]])
    yield from _memory(bench, "open and read", "read_peak", sets)
    yield f"{READ:,} images are read from each set, spread over all of it; the sets repeat {distinct} distinct images."
    archives = {count: photos.photographs(bench.work, count, distinct) for count in originals}
    yield from _memory(bench, "sharding", "sharding_peak", archives)


def _threads(bench: Bench, manifest: Path) -> Iterator[Row]:
    images = len(Shards(manifest))
    first = None
    for threads in THREADS:
        arguments: dict[str, Any] = {"reader": "ours", "threads": 1, "cores": threads, "images": images}
        side = bench.side("loader:rate", manifest=str(manifest), files="", **arguments)
        first = first or side.value
        yield Row(f"loader, {threads} threads", side.value, "images/s", first, "1 thread", side.peak_mb)


def _memory(bench: Bench, task: str, function: str, sets: dict[int, Path]) -> Iterator[Row]:
    first = None
    for count, path in sets.items():
        peak = bench.side(f"scaling:{function}", threads=1, path=str(path), cores=bench.cores).value
        first = first or peak
        yield Row(f"{task}, {count:,} images", peak, "MB", first, f"{min(sets):,} images", peak)


def read_peak(path: str, cores: int) -> float:
    """Return the peak memory of opening a set and reading `READ` images from it, MB."""

    def work() -> None:
        shards = Shards(path)
        indices = [number * len(shards) // READ for number in range(READ)]
        for _ in shards.batches(indices, loader.BATCH, cores):
            pass

    return memory.peak_mb(work)


def sharding_peak(path: str, cores: int) -> float:
    """Return the peak memory of preparing an archive, MB."""
    return memory.peak_mb(lambda: sharding.ours(Path(path), cores))
