"""The search for near-duplicates: pictures looked for times training pictures, a second.

Drawn thumbnails of 32 x 32 stand for 30,000 pictures, about Caltech-256, which are compared with training pictures as
`zfnet.transfer.duplicates.search` does: twenty correlations a pair, in blocks. Training pictures pass by in blocks of
256 and leave nothing, so seconds grow in proportion to them and memory does not; that is why a part of the 100,000 is
enough.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from zfnet.bench.harness import Bench, Row
from zfnet.transfer.duplicates import search
from zfnet.transfer.thumbnails import CUTS, VIEWS

SIZE, BLOCK, THRESHOLD = 32, 256, 0.95
PICTURES, TRAIN = 30_000, 100_000
COMPARED = 5_120  # of TRAIN, for the time's sake
CALTECH_256, IMAGENET = 30_607, 1_281_167


def results(bench: Bench) -> Iterator[Row | str]:
    """Pairs of pictures a second, and estimates for all of them."""
    pictures, compared = (300, 512) if bench.quick else (PICTURES, COMPARED)
    ours = bench.side("duplicates:searched", pictures=pictures, compared=compared)
    case = f"near-duplicates, {pictures:,} pictures x {compared:,} of {TRAIN:,} training pictures"
    yield Row(case, ours.value, "pairs/s", peak_mb=ours.peak_mb)
    yield (
        f"Estimates from {ours.value:,.0f} pairs/s: {PICTURES:,} x {TRAIN:,} takes "
        f"{PICTURES * TRAIN / ours.value / 60:,.1f} minutes, {CALTECH_256:,} x {IMAGENET:,} (Caltech-256 and all of "
        f"ImageNet) {CALTECH_256 * IMAGENET / ours.value / 3600:,.1f} hours on this machine, within the same "
        f"{ours.peak_mb:,.0f} MB, since training pictures pass by in blocks of {BLOCK}."
    )


def searched(pictures: int, compared: int) -> float:
    """Give pairs of pictures a second."""
    generator = torch.Generator().manual_seed(0)
    queries = torch.empty(pictures, VIEWS, len(CUTS), SIZE**2)
    for query in queries:
        query.copy_(_thumbnails((VIEWS, len(CUTS)), generator))
    blocks = [
        (np.arange(first, first + BLOCK), _thumbnails((len(CUTS), BLOCK), generator))
        for first in range(0, compared, BLOCK)
    ]
    start = time.perf_counter()
    search(queries, iter(blocks), THRESHOLD)
    return pictures * compared / (time.perf_counter() - start)


def _thumbnails(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, SIZE**2, generator=generator), dim=-1)
