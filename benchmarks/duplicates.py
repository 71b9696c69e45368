"""Measure the search for near-duplicates: query images times training images per second.

Drawn pictures, whose amplitudes fall with frequency as those of photographs do (1/f), stand for 30,000 pictures, about
Caltech-256, and 100,000 training pictures, which repeat after some thousands. All are searched as
`zfnet.transfer.duplicates.search_stage` does; a small part is searched by the plain path, too. Training pictures pass
by in blocks of 256 and leave nothing, so seconds grow in proportion to them and memory does not.

Only the search is timed, with the thumbnails ready. Reading the images and reducing them to thumbnails is not included;
the group `loader` measures the reading.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.harness import Bench, Row
from zfnet.transfer.duplicates.pair_search import search
from zfnet.transfer.duplicates.thumbnails import CUTS, query_thumbnails, stack_as_they_come, thumbnails

SIZE, BLOCK, THRESHOLD, FLOOR = 32, 256, 0.95, 0.9
SIDE = 48  # pixels of the drawn pictures
PICTURES, TRAIN = 30_000, 100_000
DRAWN = 2_560  # different training pictures
CALTECH_256, IMAGENET = 30_607, 1_281_167


def results(bench: Bench) -> Iterator[Row | str]:
    """Pairs of pictures a second, beside the plain path's, and an estimate for all of ImageNet."""
    pictures, train, fewer = (300, 512, 512) if bench.quick else (PICTURES, TRAIN, DRAWN)
    ours = bench.side("duplicates:searched", pictures=pictures, train=train)
    plain = bench.side("duplicates:searched", pictures=fewer, train=fewer, plain=True)
    case = f"near-duplicates, {pictures:,} x {train:,} pictures (in full: {fewer:,} x {fewer:,})"
    yield Row(case, ours.value, "pairs/s", plain.value, "all in full", ours.peak_mb)
    yield (
        f"The search of {pictures:,} x {train:,} pictures took {pictures * train / ours.value:,.1f} s and "
        f"{ours.peak_mb:,.0f} MB. An estimate from that: {CALTECH_256:,} x {IMAGENET:,} (Caltech-256 and all of "
        f"ImageNet) takes {CALTECH_256 * IMAGENET / ours.value / 60:,.0f} minutes on this machine, and as much memory, "
        f"since training pictures pass by in blocks of {BLOCK}. This is the search alone: reading the training "
        "pictures and shrinking them to thumbnails comes on top."
    )


def searched(pictures: int, train: int, plain: bool = False) -> float:
    """Give pairs of pictures a second."""
    generator = torch.Generator().manual_seed(0)
    queries = stack_as_they_come((query_thumbnails(one, SIZE) for one in _photographs(pictures, generator)), pictures)
    blocks = [
        torch.stack([thumbnails(drawn, SIZE, cut) for cut in CUTS])
        for drawn in _photographs(min(train, DRAWN), generator).split(BLOCK)
    ]
    start = time.perf_counter()
    search(queries, _repeated(blocks, train), THRESHOLD, FLOOR, plain)
    return pictures * train / (time.perf_counter() - start)


def _photographs(count: int, generator: torch.Generator) -> Tensor:
    """Draw grey pictures, float32 (count, SIDE, SIDE)."""
    across, down = torch.fft.rfftfreq(SIDE), torch.fft.fftfreq(SIDE)[:, None]
    fall = 1 / (across.square() + down.square()).sqrt().clamp_min(1 / SIDE)
    drawn = torch.randn(count, SIDE, SIDE, generator=generator)
    for some in drawn.split(BLOCK):
        some.copy_(torch.fft.irfft2(torch.fft.rfft2(some) * fall))
    return 128 + 40 * drawn / drawn.std()


def _repeated(blocks: list[Tensor], train: int) -> Iterator[tuple[np.ndarray, Tensor]]:
    for place, first in enumerate(range(0, train, BLOCK)):
        block = blocks[place % len(blocks)][:, : train - first]
        yield np.arange(first, first + block.shape[1]), block
