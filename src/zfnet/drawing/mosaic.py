"""Mosaics of small pictures at their native pixels.

Projections are signed: each is scaled on its own around mid grey, so that its strongest value reaches black or white
(the absolute size is lost, and captions say so); zero stays grey.
"""

import math

import numpy as np

GREY = 128
DARK = 45  # lines between tiles
OUTLIERS = 99.8  # per cent of values that stay inside the range


def contrast(tiles: np.ndarray, together: bool = False) -> np.ndarray:
    """Scale signed tiles around mid grey.

    Parameters
    ----------
    tiles : float (..., t, t, 3), any unit, zero is neutral.
    together : one scale for all tiles (weak filters stay weak) instead of one each.

    Returns
    -------
    uint8 of the same shape; the strongest value (99.8th percentile of a tile alone) is 1 or 255.
    """
    values = np.asarray(tiles, dtype=np.float32)
    peak = np.abs(values).max() if together else np.percentile(np.abs(values), OUTLIERS, (-3, -2, -1), keepdims=True)
    scaled = np.clip(values / np.maximum(peak, 1e-12), -1, 1)
    return np.round(GREY + 127 * scaled).astype(np.uint8)


def mosaic(tiles: np.ndarray, columns: int, gap: int = 1, line: int = DARK, by_column: bool = False) -> np.ndarray:
    """Put tiles uint8 (N, h, w, 3) into a grid with `gap` pixels between them; empty cells have the lines' grey.

    Returns
    -------
    uint8 (rows (h + gap) - gap, columns (w + gap) - gap, 3)
    """
    count, height, width = tiles.shape[:3]
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap), columns * (width + gap), 3), line, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = (index % rows, index // rows) if by_column else divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = tile
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap]


def blocks(tiles: np.ndarray, columns: int, line: int = 255) -> np.ndarray:
    """Put 3 x 3 blocks of tiles uint8 (M, 9, t, t, 3) into a grid: 1 pixel inside a block, more between blocks."""
    each = np.stack([mosaic(nine, 3) for nine in tiles])  # (M, 3t + 2, 3t + 2, 3)
    return mosaic(each, columns, gap=max(2, tiles.shape[2] // 9), line=line)
