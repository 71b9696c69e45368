"""How cost grows: the loader with 1, 2 and 4 threads, the memory of loader and sharding with the number of images.

Pictures are drawn once and repeated under other keys. A ratio of 1 in the rows of memory means that it stays as it is.
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
DRAWN, QUICK_DRAWN = 250, 10
READ = 2000  # pictures read of each set, spread over all of it


def results(bench: Bench) -> Iterator[Row | str]:
    """Time the threads, then weigh the sets; the peer of a row is the first of its kind."""
    counts, originals = (QUICK_SQUARES, QUICK_ORIGINALS) if bench.quick else (SQUARES, ORIGINALS)
    drawn = QUICK_DRAWN if bench.quick else DRAWN
    whole = photos.squares(bench.work, counts[-1], drawn)
    sets = {count: photos.first_shards(whole, count) for count in counts}
    yield from _threads(bench, sets[counts[0]])
    yield from _memory(bench, "open and read", "read_peak", sets)
    yield f"{READ:,} pictures are read of each set, spread over all of it; the sets repeat {drawn} drawn pictures."
    archives = {count: photos.photographs(bench.work, count, drawn) for count in originals}
    yield from _memory(bench, "sharding", "sharding_peak", archives)


def _threads(bench: Bench, manifest: Path) -> Iterator[Row]:
    images = len(Shards(manifest))
    first = None
    for threads in THREADS:
        given: dict[str, Any] = {"reader": "ours", "threads": 1, "cores": threads, "images": images}
        found = bench.side("loader:rate", manifest=str(manifest), files="", **given)
        first = first or found.value
        yield Row(f"loader, {threads} threads", found.value, "images/s", first, "1 thread", found.peak_mb)


def _memory(bench: Bench, what: str, function: str, sets: dict[int, Path]) -> Iterator[Row]:
    first = None
    for count, path in sets.items():
        held = bench.side(f"scaling:{function}", threads=1, path=str(path), cores=bench.cores).value
        first = first or held
        yield Row(f"{what}, {count:,} images", held, "MB", first, f"{min(sets):,} images", held)


def read_peak(path: str, cores: int) -> float:
    """Most memory held, MB, from the opening of a set on; `READ` pictures are read."""

    def work() -> None:
        shards = Shards(path)
        places = [number * len(shards) // READ for number in range(READ)]
        for _ in shards.batches(places, loader.BATCH, cores):
            pass

    return memory.peak_mb(work)


def sharding_peak(path: str, cores: int) -> float:
    """Most memory held, MB, while an archive is prepared."""
    return memory.peak_mb(lambda: sharding.ours(Path(path), cores))
