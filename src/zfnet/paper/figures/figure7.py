"""Figure 7: a grey square slides over an image; what do the features and the classifier lose?

Per image: (a) the input with the square, (b) total activity of the layer-5 feature map that is strongest without it, by
position of the square, (c) projections of that feature map for this image (framed) and three others, (d) probability of
the true class, (e) most probable class (D20).
"""

from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch, Rectangle

from zfnet.drawing.figure_page import WIDTH, Page
from zfnet.drawing.mosaic import contrast, mosaic
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results

TITLES = (
    "(a) input",
    "(b) strongest map",
    "(c) its projections",
    "(d) P(true class)",
    "(e) most probable class",
)
LEFT, GAP, TOP, FOOT = 0.3, 0.12, 0.3, 0.76  # inches
SIDE = (WIDTH - LEFT - GAP * 5) / 5
MOST = 10  # classes in a legend, as in the paper's longest
COLOURS = [
    "#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3", "#8c8c8c", "#ccb974", "#64b5cd",
    "#e8e8e8",
]  # fmt: skip


def draw(results: Results) -> Page:
    """Draw a row of panels (a)-(e) for every image."""
    arrays = results.arrays(results.shown("occlusion.safetensors"))
    description = results.required_json(results.shown("occlusion.json"))
    count = len(arrays["images"])
    page = Page(TOP + count * (SIDE + FOOT))
    for column, title in enumerate(TITLES):
        page.text(title, _left(column), TOP - 0.08, weight="bold")
    for row in range(count):
        _row(page, {name: array[row] for name, array in arrays.items()}, description, row)
    return page


def _left(column: int) -> float:
    return LEFT + column * (SIDE + GAP)


def _row(page: Page, arrays: dict[str, np.ndarray], description: dict[str, Any], row: int) -> None:
    image = description["images"][row]
    top = TOP + row * (SIDE + FOOT)
    page.text(f"{image['class']}", 0.2, top + SIDE / 2, rotation=90, va="center", ha="center", size=8)
    page.image(arrays["images"], _left(0), top, SIDE)
    page.image(arrays["activity"], _left(1), top, SIDE, cmap="jet")
    page.text(f"conv5, map {image['map']}; red: high", _left(1), top + SIDE + 0.16, size=7, color="#555555")
    _projections(page, arrays["projections"], int(arrays["own"]), top)
    _probability(page, arrays["probability"], top)
    _classes(page, arrays["best"], description["legend"], top)


def _projections(page: Page, projections: np.ndarray, own: int, top: float) -> None:
    """Draw four projections (4, t, t, 3), the image's own in a black frame."""
    side = projections.shape[1]
    axes = page.image(mosaic(contrast(projections), 2, gap=2, line=255), _left(2), top, SIDE)
    row, column = divmod(own, 2)
    corner = (column * (side + 2) - 0.5, row * (side + 2) - 0.5)
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="black", lw=2.2))
    page.text("framed: this image", _left(2), top + SIDE + 0.16, size=7, color="#555555")


def _probability(page: Page, probability: np.ndarray, top: float) -> None:
    axes = page.image(probability, _left(3), top, SIDE, cmap="jet")
    bar = page.axes(_left(3), top + SIDE + 0.07, SIDE, 0.09)
    page.figure.colorbar(axes.images[0], cax=bar, orientation="horizontal")
    bar.tick_params(labelsize=7, length=2, pad=1)
    bar.locator_params(nbins=4)
    bar.xaxis.get_offset_text().set_visible(False)


def _classes(page: Page, best: np.ndarray, legend: dict[str, str], top: float) -> None:
    """Draw the most frequent classes in colour, the rest in light grey."""
    classes, counts = np.unique(best, return_counts=True)
    shown = classes[np.argsort(-counts)][:MOST]
    index = np.full(best.shape, MOST)
    for place, name in enumerate(shown):
        index[best == name] = place
    page.image(index, _left(4), top, SIDE, cmap=ListedColormap(COLOURS), vmin=0, vmax=MOST)
    axes = page.axes(_left(4), top + SIDE + 0.03, SIDE, FOOT - 0.1)
    axes.set_axis_off()
    columns, letters = (1, 26) if len(shown) <= MOST // 2 else (2, 12)
    names = [_short(legend[str(name)], letters) for name in shown]
    patches = [Patch(color=colour, label=name) for colour, name in zip(COLOURS, names, strict=False)]
    spacing = {"borderpad": 0, "borderaxespad": 0, "columnspacing": 0.6, "labelspacing": 0.2, "handletextpad": 0.4}
    axes.legend(handles=patches, loc="upper left", ncols=columns, fontsize=7, handlelength=0.8, **spacing)


def _short(name: str, letters: int) -> str:
    first = str(name).split(",")[0]
    return first if len(first) <= letters else first[: letters - 1] + "…"


FIGURE = Figure("figure7", draw)
