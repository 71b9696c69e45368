"""Figure 4: how features develop during training.

Per layer, each row is a randomly chosen feature map: its strongest activation over the training images, projected to
pixels, after more and more epochs from left to right. A jump means that another image has become the strongest.
"""

import numpy as np

from zfnet.drawing.figure_page import WIDTH, Page, aspect, row_height
from zfnet.drawing.mosaic import contrast, mosaic
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results

ROWS = (("conv1", "conv2", "conv3"), ("conv4", "conv5"))
GAP, TITLE, MARGIN = 0.16, 0.44, 0.06  # inches


def draw(results: Results) -> Page:
    """Lay out maps x epochs for layers 1-5."""
    arrays = results.arrays(results.shown("evolution.safetensors"))
    rows = [[_sheet(arrays[f"{layer}/projections"]) for layer in row] for row in ROWS]
    width = WIDTH - 2 * MARGIN
    heights = [row_height(sheets, width, GAP) for sheets in rows]
    page, top = Page(sum(heights) + TITLE * len(rows) + MARGIN), 0.0
    for layers, sheets, height in zip(ROWS, rows, heights, strict=True):
        left = MARGIN
        for layer, sheet in zip(layers, sheets, strict=True):
            wide = height * aspect(sheet)
            page.image(sheet, left, top + TITLE, wide)
            _heading(page, layer, arrays["epochs"], left, top + TITLE, wide)
            left += wide + GAP
        top += TITLE + height
    return page


def _sheet(projections: np.ndarray) -> np.ndarray:
    """Return the mosaic of projections (M, E, t, t, 3): feature maps down, epochs across."""
    maps, epochs = projections.shape[:2]
    return mosaic(contrast(projections).reshape(maps * epochs, *projections.shape[2:]), epochs, gap=1)


def _heading(page: Page, layer: str, epochs: np.ndarray, left: float, top: float, width: float) -> None:
    page.text(layer, left, top - 0.22, weight="bold")
    page.text("epoch", left + width, top - 0.22, ha="right", size=7, color="#666666")
    for index, epoch in enumerate(epochs):
        page.text(str(epoch), left + width * (index + 0.5) / len(epochs), top - 0.06, ha="center", size=7)


FIGURE = Figure("figure4", draw)
