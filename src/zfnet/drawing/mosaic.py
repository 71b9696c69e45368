"""Mosaics of small images at their native resolution.

Projections are signed: each is scaled separately around mid grey, so that its strongest value is black or white and
zero is grey. The absolute scale is lost, which captions say.
"""

import math

import numpy as np

GREY = 128
DARK = 45  # lines between tiles
OUTLIERS = 99.8  # percentile of the absolute values that is scaled to black or white


def contrast(tiles: np.ndarray, together: bool = False) -> np.ndarray:
    """Scale signed tiles around mid grey.

    Parameters
    ----------
    tiles : float (..., t, t, 3), any unit, zero is neutral.
    together : use one scale for all tiles (weak filters stay weak) instead of one each.

    Returns
    -------
    uint8 of the same shape; the strongest value (of a single tile its 99.8th percentile) is 1 or 255.
    """
    values = np.asarray(tiles, dtype=np.float32)
    peak = np.abs(values).max() if together else np.percentile(np.abs(values), OUTLIERS, (-3, -2, -1), keepdims=True)
    scaled = np.clip(values / np.maximum(peak, 1e-12), -1, 1)
    return np.round(GREY + 127 * scaled).astype(np.uint8)


def mosaic(tiles: np.ndarray, columns: int, gap: int = 1, line: int = DARK, by_column: bool = False) -> np.ndarray:
    """Arrange tiles, uint8 (N, h, w, 3), in a grid with `gap` pixels between them; empty cells are filled with `line`.

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
    """Arrange 3 x 3 blocks of tiles, uint8 (M, 9, t, t, 3), in a grid: 1 pixel apart in a block, more between them."""
    each = np.stack([mosaic(nine, 3) for nine in tiles])  # (M, 3t + 2, 3t + 2, 3)
    return mosaic(each, columns, gap=max(2, tiles.shape[2] // 9), line=line)
