"""Figure 2: what single feature maps respond to most strongly, layer by layer.

For a random subset of feature maps: the nine strongest activations over the validation set, projected to pixels (left),
and the image patches they come from (right), each as a 3 x 3 block. Layer 1 shows its filters instead (D17, D18).
"""

import numpy as np

from zfnet.drawing.figure_page import WIDTH, Page, aspect, row_height
from zfnet.drawing.mosaic import blocks, contrast, mosaic
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results

COLUMNS = {"conv1": 3, "conv2": 4, "conv3": 4, "conv4": 2, "conv5": 2}  # as published
ROWS = (("conv1", "conv2"), ("conv3",), ("conv4", "conv5"))
GAP, TITLE, MARGIN = 0.12, 0.26, 0.06  # inches


def draw(results: Results) -> Page:
    """Lay out projections beside patches for layers 1-5 of the net as per Figure 3."""
    arrays = results.arrays(results.shown("features.safetensors"))
    rows = [[image for layer in row for image in layer_mosaics(arrays, layer)] for row in ROWS]
    width = WIDTH - 2 * MARGIN
    heights = [row_height(images, width, GAP) for images in rows]
    page, top = Page(sum(heights) + TITLE * len(rows) + MARGIN), 0.0
    for layers, images, height in zip(ROWS, rows, heights, strict=True):
        _row(page, layers, images, top + TITLE, height)
        top += TITLE + height
    return page


def layer_mosaics(arrays: dict[str, np.ndarray], layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mosaics of the projections (conv1: filters) and of the patches of one layer."""
    columns = COLUMNS[layer]
    patches = blocks(arrays[f"{layer}/patches"], columns)
    if layer == "conv1":
        filters = contrast(arrays["conv1/filters"][arrays["conv1/maps"]])  # (M, k, k, 3)
        return mosaic(filters, columns), patches
    return blocks(contrast(arrays[f"{layer}/projections"]), columns), patches


def _row(page: Page, layers: tuple[str, ...], images: list[np.ndarray], top: float, height: float) -> None:
    left = MARGIN
    for index, image in enumerate(images):
        if index % 2 == 0:
            page.text(layers[index // 2], left, top - 0.07, weight="bold")
        page.image(image, left, top, height * aspect(image))
        left += height * aspect(image) + GAP


FIGURE = Figure("figure2", draw)
