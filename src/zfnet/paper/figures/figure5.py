"""Figure 5 (arXiv only): how layer 1, layer 7 and the output respond to a translated, scaled or rotated image.

Column 1: transformed examples. Columns 2 and 3: Euclidean distance of the features to those of the untouched image,
divided by the norm of the latter, because the paper does not define its "canonical distance" (D19; invariance.csv has
the raw distances). Column 4: probability of the true class. The horizontal translation is from the talk.
"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from zfnet.drawing.figure_page import WIDTH, Page
from zfnet.drawing.mosaic import mosaic
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results

TRANSFORMS = {
    "vertical": "vertical translation (pixels)",
    "horizontal": "horizontal translation (pixels)",
    "scale": "scale (ratio)",
    "rotation": "rotation (degrees)",
}
CURVES = {
    "conv1_relative": "conv1: relative distance",
    "fc7_relative": "fc7: relative distance",
    "probability": "P(true class)",
}
SHOWN = 5  # examples per transform
SIDE, HEIGHT, GAP, TOP, FOOT = 1.75, 1.5, 0.56, 0.3, 0.45  # inches


def draw(results: Results) -> Page:
    """Draw four transforms x (examples, conv1, fc7, probability)."""
    curves = results.required_frame(results.shown("invariance.csv"))
    examples = results.arrays(results.shown("invariance.safetensors"))
    shown = [name for name in TRANSFORMS if f"{name}/examples" in examples]
    page = Page(TOP + len(shown) * (HEIGHT + GAP) + FOOT)
    page.text("examples", 0.06 + SIDE / 2, TOP - 0.08, weight="bold", ha="center")
    for row, name in enumerate(shown):
        top = TOP + row * (HEIGHT + GAP)
        _examples(page, examples[f"{name}/examples"], top)
        for column, curve in enumerate(CURVES):
            axes = page.axes(SIDE + 0.62 + column * 2.3, top, 1.78, HEIGHT)
            _curves(axes, curves[curves["transform"] == name], curve, TRANSFORMS[name], heading=row == 0)
    _legend(page, curves)
    return page


def _examples(page: Page, examples: np.ndarray, top: float) -> None:
    """Place images down and some of the amounts across; uint8 (images, n, crop, crop, 3)."""
    chosen = np.linspace(0, examples.shape[1] - 1, min(SHOWN, examples.shape[1])).round().astype(int)
    examples = examples[:, chosen]
    images, amounts = examples.shape[:2]
    sheet = mosaic(examples.reshape(images * amounts, *examples.shape[2:]), amounts, gap=2, line=255)
    width = min(SIDE, HEIGHT * sheet.shape[1] / sheet.shape[0])
    page.image(sheet, 0.06 + (SIDE - width) / 2, top, width)


def _curves(axes: Axes, curves: pd.DataFrame, column: str, label: str, heading: bool) -> None:
    sns.lineplot(curves, x="amount", y=column, hue="image", palette="deep", legend=False, lw=1.1, ax=axes)
    sns.despine(ax=axes)
    axes.set(xlabel=label, ylabel="")
    axes.set_ylim(0, 1 if column == "probability" else None)
    axes.grid(color="#eeeeee", lw=0.6)
    if heading:
        axes.set_title(CURVES[column], weight="bold")


def _legend(page: Page, curves: pd.DataFrame) -> None:
    names = curves.drop_duplicates("image").sort_values("image")["class"].astype(str)
    colours = sns.color_palette("deep", len(names))
    axes = page.axes(0, page.height - FOOT + 0.05, WIDTH, FOOT - 0.1)
    axes.set_axis_off()
    lines = [axes.plot([], [], color=colour, lw=2)[0] for colour in colours]
    axes.legend(lines, names, loc="center", ncols=min(5, len(names)))


FIGURE = Figure("figure5", draw)
