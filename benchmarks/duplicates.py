"""The search for near-duplicates: pairs of transfer and training images per second.

Generated images, whose amplitudes fall with frequency as in photographs (1/f), stand for 30,000 transfer images, about
Caltech-256, and 100,000 training images, which repeat after some thousands. They are searched as in
`zfnet.transfer.duplicates.search_stage`; a small part is also searched exhaustively. Training images pass by in blocks
of 256 that leave nothing behind, so the time is proportional to their number and the memory is constant.

Only the search is timed, with the thumbnails ready. Reading and shrinking the images takes extra time; the group
`loader` measures the reading.
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
SIDE = 48  # of the generated images, pixels
QUERIES, TRAIN = 30_000, 100_000
DISTINCT = 2_560  # training images; more are repeats
CALTECH_256, IMAGENET = 30_607, 1_281_167


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield pairs per second, against the exhaustive search, and an estimate for all of ImageNet."""
    queries, train, fewer = (300, 512, 512) if bench.quick else (QUERIES, TRAIN, DISTINCT)
    ours = bench.side("duplicates:pairs_per_second", queries=queries, train=train)
    exhaustive = bench.side("duplicates:pairs_per_second", queries=fewer, train=fewer, exhaustive=True)
    case = f"near-duplicates, {queries:,} x {train:,} images (exhaustive: {fewer:,} x {fewer:,})"
    yield Row(case, ours.value, "pairs/s", exhaustive.value, "exhaustive search", ours.peak_mb)
    minutes = CALTECH_256 * IMAGENET / ours.value / 60
    yield (
        f"Searching {queries:,} x {train:,} images took {queries * train / ours.value:,.1f} s and "
        f"{ours.peak_mb:,.0f} MB. An estimate from that: {CALTECH_256:,} x {IMAGENET:,} (Caltech-256 and all of "
        f"ImageNet) would take {minutes:,.0f} minutes on this machine and the same memory, because training images "
        f"pass by in blocks of {BLOCK}. This is the search alone: reading the training images and shrinking them to "
        "thumbnails takes extra time."
    )


def pairs_per_second(queries: int, train: int, exhaustive: bool = False) -> float:
    """Return the pairs of images searched per second."""
    generator = torch.Generator().manual_seed(0)
    views = (query_thumbnails(image, SIZE) for image in _photographs(queries, generator))
    query_views = stack_as_they_come(views, queries)  # (queries, VIEWS, len(CUTS), SIZE²)
    blocks = [
        torch.stack([thumbnails(images, SIZE, cut) for cut in CUTS])
        for images in _photographs(min(train, DISTINCT), generator).split(BLOCK)
    ]
    start = time.perf_counter()
    search(query_views, _repeated(blocks, train), THRESHOLD, FLOOR, exhaustive)
    return queries * train / (time.perf_counter() - start)


def _photographs(count: int, generator: torch.Generator) -> Tensor:
    """Generate grey images with a 1/f amplitude spectrum, float32 (count, SIDE, SIDE)."""
    across, down = torch.fft.rfftfreq(SIDE), torch.fft.fftfreq(SIDE)[:, None]
    amplitudes = 1 / (across.square() + down.square()).sqrt().clamp_min(1 / SIDE)
    images = torch.randn(count, SIDE, SIDE, generator=generator)
    for block in images.split(BLOCK):
        block.copy_(torch.fft.irfft2(torch.fft.rfft2(block) * amplitudes))
    return 128 + 40 * images / images.std()


def _repeated(blocks: list[Tensor], train: int) -> Iterator[tuple[np.ndarray, Tensor]]:
    for number, first in enumerate(range(0, train, BLOCK)):
        block = blocks[number % len(blocks)][:, : train - first]
        yield np.arange(first, first + block.shape[1]), block
