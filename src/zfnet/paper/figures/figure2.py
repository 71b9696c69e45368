"""Figure 2: what the strongest activations of single feature maps react to, layer by layer.

For a random subset of maps: the nine strongest activations over the validation set, projected to pixels (left), and
the picture patches they come from (right), each as a 3 x 3 block. Layer 1 shows its filters instead (D17, D18).
"""

import numpy as np
from matplotlib.figure import Figure

from zfnet.drawing.mosaic import blocks, contrast, mosaic
from zfnet.drawing.page import WIDTH, Page, aspect, row_height
from zfnet.paper.results import Results

COLUMNS = {1: 3, 2: 4, 3: 4, 4: 2, 5: 2}  # as printed
ROWS = ((1, 2), (3,), (4, 5))
GAP, TITLE, MARGIN = 0.12, 0.26, 0.06  # inches


def draw(results: Results) -> Figure:
    """Lay out projections beside patches for layers 1-5 of the net as per Figure 3."""
    arrays = results.arrays("visualize/zf-s1/features.safetensors")
    rows = [[picture for layer in row for picture in layer_pictures(arrays, layer)] for row in ROWS]
    width = WIDTH - 2 * MARGIN
    heights = [row_height(pictures, width, GAP) for pictures in rows]
    page, top = Page(sum(heights) + TITLE * len(rows) + MARGIN), 0.0
    for layers, pictures, height in zip(ROWS, rows, heights, strict=True):
        _row(page, layers, pictures, top + TITLE, height)
        top += TITLE + height
    return page.figure


def layer_pictures(arrays: dict[str, np.ndarray], layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Mosaics of the projections (layer 1: filters) and of the patches of one layer."""
    columns = COLUMNS[layer]
    patches = blocks(arrays[f"layer{layer}/patches"], columns)
    if layer == 1:
        filters = contrast(arrays["layer1/filters"][arrays["layer1/maps"]])  # (M, k, k, 3)
        return mosaic(filters, columns), patches
    return blocks(contrast(arrays[f"layer{layer}/projections"]), columns), patches


def _row(page: Page, layers: tuple[int, ...], pictures: list[np.ndarray], top: float, height: float) -> None:
    left = MARGIN
    for index, picture in enumerate(pictures):
        if index % 2 == 0:
            page.text(f"Layer {layers[index // 2]}", left, top - 0.07, weight="bold")
        page.image(picture, left, top, height * aspect(picture))
        left += height * aspect(picture) + GAP
