"""Figure 6: first-layer filters and second-layer features of three designs.

(a) filters of our net without clipping of the filters' root mean square, (b) Krizhevsky's 11 x 11 stride 4, (c) ours,
7 x 7 stride 2; (d), (e) projections of the nine strongest activations of second-layer maps of (b) and (c). Filters of a
panel share one contrast, so that a dominating filter dominates and a dead one is grey.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from zfnet.drawing.mosaic import blocks, contrast, mosaic
from zfnet.drawing.page import WIDTH, Page, aspect, row_height
from zfnet.paper.results import Results

FILTERS = {
    "zf-unclipped": "(a) layer 1, no clipping",
    "krizhevsky-s1": "(b) layer 1, Krizhevsky et al.",
    "zf-s1": "(c) layer 1, ours",
}
FEATURES = {"krizhevsky-s1": "(d) layer 2, Krizhevsky et al.", "zf-s1": "(e) layer 2, ours"}
MAPS, COLUMNS = 15, 5  # second-layer maps as printed: 5 x 3 blocks
GAP, TITLE, FOOT, MARGIN = 0.22, 0.28, 0.2, 0.06  # inches


def draw(results: Results) -> Figure:
    """Lay out three panels of filters above two of projections."""
    arrays = {run: results.arrays(f"visualize/{run}/features.safetensors") for run in FILTERS}
    filters = [_filters(arrays[run]["layer1/filters"]) for run in FILTERS]
    features = [blocks(contrast(arrays[run]["layer2/projections"][:MAPS]), COLUMNS) for run in FEATURES]
    measured = results.frame("visualize/filters.csv")
    notes = [
        _measures(measured, run, panel) for panel, runs in ((_first, FILTERS), (_second, FEATURES)) for run in runs
    ]
    rows = [(filters, [*FILTERS.values()]), (features, [*FEATURES.values()])]
    heights = [row_height(pictures, WIDTH - 2 * MARGIN, GAP) for pictures, _ in rows]
    page, top = Page(sum(heights) + (TITLE + FOOT) * len(rows) + MARGIN), 0.0
    for (pictures, titles), height in zip(rows, heights, strict=True):
        left = MARGIN
        for picture, title in zip(pictures, titles, strict=True):
            page.text(title, left, top + TITLE - 0.07, weight="bold")
            page.image(picture, left, top + TITLE, height * aspect(picture))
            page.text(notes.pop(0), left, top + TITLE + height + 0.14, size=6.5, color="#555555")
            left += height * aspect(picture) + GAP
        top += TITLE + height + FOOT
    return page.figure


def _filters(filters: np.ndarray) -> np.ndarray:
    """All filters (M, k, k, 3) on one contrast, 11 x 9 for the published 96, column by column."""
    columns = math.ceil(math.sqrt(len(filters) * 11 / 9))
    return mosaic(contrast(filters, together=True), columns, by_column=len(filters) == 96)


def _measures(measured: pd.DataFrame | None, run: str, panel: Callable[[pd.Series], str]) -> str:
    """What a panel's net measures in filters.csv, nothing where it was not measured."""
    if measured is None or run not in set(measured["run"]):
        return ""
    return panel(measured.set_index("run").loc[run])


def _first(row: pd.Series) -> str:
    bands = "/".join(f"{100 * row[band]:.0f}" for band in ("low", "middle", "high"))
    spread = row["norm_max"] / row["norm_median"]
    return f"dead {row['dead']:.0f} of {row['filters']:.0f}; RMS max/median {spread:.1f}; low/mid/high {bands} %"


def _second(row: pd.Series) -> str:
    return f"aliasing {row['aliasing']:.2f}; change under a shift by 1 px {row['shift']:.2f}"
