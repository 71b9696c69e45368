"""Find all pairs of images from two sets whose correlation reaches a threshold (ZF sect. 5.2, D29).

Cheap upper bounds (`zfnet.transfer.duplicates.bounds`) rule out nearly all pairs; only the others are correlated in
full. `exhaustive=True` correlates all pairs, for tests: it gives the same result much more slowly
(docs/performance.md).
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zfnet.transfer.duplicates.bounds import Sketch, bounds, sketch
from zfnet.transfer.duplicates.thumbnails import CUTS, VIEWS, correlate, correlate_pairs

PRODUCTS = 1 << 24  # correlations held in memory at once by the exhaustive search
CHUNK, PAIRS = 256, 1024  # images whose bounds, and pairs whose thumbnails, are held in memory at once
EXHAUSTIVE_ABOVE = 0.05  # fraction of pairs that pass the bounds, above which correlating all pairs is faster

Candidates = tuple[Tensor, Tensor, Tensor]  # image numbers, columns of the training block, correlations


@dataclass
class Matches:
    """The result of a search.

    pairs : int64 (M, 2), image and training image, sorted;  correlations : float32 (M,), of these pairs
    best, best_train : float32 (N,), int64 (N,), the largest correlation of each image and the training image it is
    with;
        -1 where none reaches the floor
    """

    pairs: np.ndarray
    correlations: np.ndarray
    best: np.ndarray
    best_train: np.ndarray


def search(
    queries: Tensor,
    train: Iterator[tuple[np.ndarray, Tensor]],
    threshold: float,
    floor: float,
    exhaustive: bool = False,
) -> Matches:
    """Compare all images with all training images, in blocks of bounded size.

    Parameters
    ----------
    queries : (N, VIEWS, len(CUTS), d)
        `query_thumbnails` of the images to look for.
    train
        Yields numbers (B,) and thumbnails (len(CUTS), B, d) of training images.
    threshold, floor
        Correlation from which a pair is returned, and from which the best match of an image is.
    """
    floor = min(floor, threshold)
    sketches = None if exhaustive else sketch(queries)
    # Two arrays that grow in place. One small array for each of a million chunks would lie between the large temporary
    # ones and keep glibc from reusing their memory: gigabytes.
    pairs, correlations = array("q"), array("f")
    for numbers, block in train:
        chunks = _all_pairs(queries, block) if sketches is None else _near_pairs(queries, sketches, block, floor)
        for rows, columns, values in chunks:
            high = values >= floor
            chunk_pairs = np.stack([rows[high].cpu().numpy(), numbers[columns[high].cpu().numpy()]], 1)  # (M', 2)
            pairs.frombytes(chunk_pairs.astype(np.int64).tobytes())
            correlations.frombytes(values[high].float().cpu().numpy().tobytes())
    return _matches(np.array(pairs).reshape(-1, 2), np.array(correlations), len(queries), threshold)


def _all_pairs(queries: Tensor, block: Tensor, offset: int = 0) -> Iterator[Candidates]:
    """Correlate all pairs; `offset` is the number of the first image."""
    chunk = max(1, PRODUCTS // (2 * VIEWS * len(CUTS) * block.shape[1]))
    for first in range(0, len(queries), chunk):
        values = correlate(queries[first : first + chunk], block)  # (chunk, B)
        rows, columns = torch.ones_like(values, dtype=torch.bool).nonzero(as_tuple=True)
        yield rows + offset + first, columns, values.flatten()


def _near_pairs(queries: Tensor, sketches: Sketch, block: Tensor, floor: float) -> Iterator[Candidates]:
    """Correlate the pairs whose bounds reach the floor, or all pairs of a chunk where that is faster."""
    block_sketch = sketch(block)
    for first in range(0, len(queries), CHUNK):
        chunk = slice(first, first + CHUNK)
        near = bounds(Sketch(*(part[chunk] for part in sketches)), block_sketch) >= floor  # (CHUNK, B)
        rows, columns = near.nonzero(as_tuple=True)
        if len(rows) > EXHAUSTIVE_ABOVE * near.numel():
            yield from _all_pairs(queries[chunk], block, first)
            continue
        for some_rows, some_columns in zip((rows + first).split(PAIRS), columns.split(PAIRS), strict=True):
            yield some_rows, some_columns, correlate_pairs(queries[some_rows], block[:, some_columns])


def _matches(pairs: np.ndarray, correlations: np.ndarray, count: int, threshold: float) -> Matches:
    """Select the best match of each image and the pairs that reach the threshold."""
    order = np.lexsort((pairs[:, 1], -correlations, pairs[:, 0]))  # by image, then the best correlation first
    images, first = np.unique(pairs[order, 0], return_index=True)
    best, best_train = np.full(count, -1, np.float32), np.full(count, -1)
    best[images], best_train[images] = correlations[order][first], pairs[order][first, 1]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    order = order[correlations[order] >= threshold]
    return Matches(pairs[order], correlations[order], best, best_train)
