"""Figure 6: first-layer filters and second-layer features of three designs.

(a) our net without clipping of the filters' root mean square, (b) Krizhevsky's 11 x 11 filters at stride 4, (c) ours,
7 x 7 at stride 2; (d), (e) projections of the nine strongest activations of second-layer feature maps of (b) and (c).
The filters of a panel share one contrast: a dominant filter dominates, a dead one is grey.
"""

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd

from zfnet.drawing.figure_page import WIDTH, Page, aspect, row_height
from zfnet.drawing.mosaic import blocks, contrast, mosaic
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results

FILTERS = {
    "zf-unclipped": "(a) conv1, no clipping",
    "krizhevsky": "(b) conv1, Krizhevsky et al.",
    "zf": "(c) conv1, ours",
}
FEATURES = {"krizhevsky": "(d) conv2, Krizhevsky et al.", "zf": "(e) conv2, ours"}
MAPS, COLUMNS = 15, 5  # second-layer maps as published: 5 x 3 blocks
GAP, TITLE, FOOT, MARGIN = 0.22, 0.28, 0.2, 0.06  # inches


def draw(results: Results) -> Page:
    """Lay out three panels of filters above two of projections."""
    arrays = {net: results.arrays(results.shown("features.safetensors", net)) for net in FILTERS}
    filters = [_filters(arrays[net]["conv1/filters"]) for net in FILTERS]
    features = [blocks(contrast(arrays[net]["conv2/projections"][:MAPS]), COLUMNS) for net in FEATURES]
    measures = results.frame("visualize/filters.csv")
    notes = [
        _measures(measures, results.first(net), panel)
        for panel, nets in ((_first, FILTERS), (_second, FEATURES))
        for net in nets
    ]
    rows = [(filters, [*FILTERS.values()]), (features, [*FEATURES.values()])]
    heights = [row_height(images, WIDTH - 2 * MARGIN, GAP) for images, _ in rows]
    page, top = Page(sum(heights) + (TITLE + FOOT) * len(rows) + MARGIN), 0.0
    for (images, titles), height in zip(rows, heights, strict=True):
        left = MARGIN
        for image, title in zip(images, titles, strict=True):
            page.text(title, left, top + TITLE - 0.07, weight="bold")
            page.image(image, left, top + TITLE, height * aspect(image))
            page.text(notes.pop(0), left, top + TITLE + height + 0.14, size=6.5, color="#555555")
            left += height * aspect(image) + GAP
        top += TITLE + height + FOOT
    return page


def _filters(filters: np.ndarray) -> np.ndarray:
    """Return all filters (M, k, k, 3) at one contrast; the published 96 as 11 x 9, column by column."""
    columns = math.ceil(math.sqrt(len(filters) * 11 / 9))
    return mosaic(contrast(filters, together=True), columns, by_column=len(filters) == 96)


def _measures(measures: pd.DataFrame | None, run: str, panel: Callable[[pd.Series], str]) -> str:
    """Return a panel's measures in filters.csv, nothing if it was not measured."""
    if measures is None or run not in set(measures["run"]):
        return ""
    return panel(cast(pd.Series, measures.set_index("run").loc[run]))


def _first(row: pd.Series) -> str:
    bands = "/".join(f"{100 * row[band]:.0f}" for band in ("low", "middle", "high"))
    spread = row["norm_max"] / row["norm_median"]
    return f"dead {row['dead']:.0f} of {row['filters']:.0f}; RMS max/median {spread:.1f}; low/mid/high {bands} %"


def _second(row: pd.Series) -> str:
    return f"aliasing {row['aliasing']:.2f}; change under a shift by 1 px {row['shift']:.2f}"


FIGURE = Figure("figure6", draw)
