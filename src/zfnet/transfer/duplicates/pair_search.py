"""Which pictures look alike: all pairs of two sets whose correlation reaches a threshold (ZF sect. 5.2, D29).

`zfnet.transfer.duplicates.bounds` rules out nearly all pairs; the others are compared in full. `plain=True` compares all in
full: the same result at a fraction of the speed (docs/performance.md), for tests.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zfnet.transfer.duplicates.bounds import Sketch, bounds, sketch
from zfnet.transfer.duplicates.thumbnails import CUTS, VIEWS, correlate, correlate_pairs

PRODUCTS = 1 << 24  # correlations held in memory at once by the plain path
CHUNK, PAIRS = 256, 1024  # pictures whose bounds, and pairs whose thumbnails, are held in memory at once
CROWDED = 0.05  # share of near pairs from which it is faster to compare all

Found = tuple[Tensor, Tensor, Tensor]  # pictures, training pictures, correlations


@dataclass
class Matches:
    """What a search found.

    pairs : int64 (M, 2), picture and training picture, ordered;  correlations : float32 (M,) of these pairs
    best, best_train : float32 (N,), int64 (N,), the largest correlation of each picture and where; -1 below the floor
    """

    pairs: np.ndarray
    correlations: np.ndarray
    best: np.ndarray
    best_train: np.ndarray


def search(
    queries: Tensor, train: Iterator[tuple[np.ndarray, Tensor]], threshold: float, floor: float, plain: bool = False
) -> Matches:
    """Compare all pictures with all training pictures, in blocks of bounded size.

    Parameters
    ----------
    queries : (N, VIEWS, len(CUTS), d)
        `query_thumbnails` of the pictures looked for.
    train
        Yields numbers (B,) and thumbnails (len(CUTS), B, d) of training pictures.
    threshold, floor
        Correlations from which a pair is kept, and from which a picture's best one is known.
    """
    floor = min(floor, threshold)
    sketches = None if plain else sketch(queries)
    # Two arrays that grow, since a small one kept for each of a million chunks lies between the large temporary ones
    # and keeps glibc from using their memory again: gigabytes.
    pairs, correlations = array("q"), array("f")
    for numbers, block in train:
        for rows, columns, values in _all(queries, block) if plain else _near(queries, sketches, block, floor):
            high = values >= floor
            found = np.stack([rows[high].cpu().numpy(), numbers[columns[high].cpu().numpy()]], 1)
            pairs.frombytes(found.astype(np.int64).tobytes())
            correlations.frombytes(values[high].float().cpu().numpy().tobytes())
    return _matches(np.array(pairs).reshape(-1, 2), np.array(correlations), len(queries), threshold)


def _all(queries: Tensor, block: Tensor, offset: int = 0) -> Iterator[Found]:
    """Compare all pairs; `offset` is the number of the first picture."""
    chunk = max(1, PRODUCTS // (2 * VIEWS * len(CUTS) * block.shape[1]))
    for first in range(0, len(queries), chunk):
        values = correlate(queries[first : first + chunk], block)  # (chunk, B)
        rows, columns = torch.ones_like(values, dtype=torch.bool).nonzero(as_tuple=True)
        yield rows + offset + first, columns, values.flatten()


def _near(queries: Tensor, sketches: Sketch, block: Tensor, floor: float) -> Iterator[Found]:
    """Compare the pairs whose bounds reach the floor, or all of a chunk where that is faster."""
    theirs = sketch(block)
    for first in range(0, len(queries), CHUNK):
        chosen = slice(first, first + CHUNK)
        near = bounds(Sketch(*(part[chosen] for part in sketches)), theirs) >= floor
        rows, columns = near.nonzero(as_tuple=True)
        if len(rows) > CROWDED * near.numel():
            yield from _all(queries[chosen], block, first)
            continue
        for some, others in zip((rows + first).split(PAIRS), columns.split(PAIRS), strict=True):
            yield some, others, correlate_pairs(queries[some], block[:, others])


def _matches(pairs: np.ndarray, correlations: np.ndarray, count: int, threshold: float) -> Matches:
    """Order what was found, take each picture's best, and keep the pairs that reach the threshold."""
    order = np.lexsort((pairs[:, 1], -correlations, pairs[:, 0]))
    pictures, first = np.unique(pairs[order, 0], return_index=True)
    best, best_train = np.full(count, -1, np.float32), np.full(count, -1)
    best[pictures], best_train[pictures] = correlations[order][first], pairs[order][first, 1]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    order = order[correlations[order] >= threshold]
    return Matches(pairs[order], correlations[order], best, best_train)
