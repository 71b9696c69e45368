"""Figure 9: Caltech-256 accuracy against training images per class.

Ours: softmax on frozen layer-7 features, mean and standard deviation over folds. Published: the paper's own curve, Bo
et al., Sohn et al., and the dashed line at 55.2 (Bo et al. with 60 images per class).
"""

import seaborn as sns
from matplotlib.axes import Axes

from zfnet.drawing.figure_page import WIDTH, Page
from zfnet.paper import published
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results

PUBLISHED = {
    "ours": ("Zeiler & Fergus, published", "#7fa6d6"),
    "bo": ("Bo et al., published", "#c44e52"),
    "sohn": ("Sohn et al., published", "#55a868"),
}
OURS, DASH = "#1f3f77", "#444444"


def draw(results: Results) -> Page:
    """Draw our curve over the published ones."""
    heads = results.required_frame("transfer/heads/caltech256.csv")
    page = Page(4.6, WIDTH * 0.8)
    axes = page.axes(0.65, 0.15, page.width - 0.85, 3.85)
    _published(axes)
    chosen = heads[(heads["head"] == "softmax") & (heads["layer"] == "fc7")]
    sns.lineplot(
        chosen,
        x="size",
        y="accuracy",
        errorbar="sd",
        err_style="bars",
        marker="o",
        color=OURS,
        label="this run",
        ax=axes,
    )
    sns.despine(ax=axes)
    axes.set(xlabel="training images per class", ylabel="accuracy (%), mean over classes", xlim=(0, 62), ylim=(0, 100))
    axes.grid(color="#eeeeee", lw=0.6)
    axes.legend(loc="lower right")
    return page


def _published(axes: Axes) -> None:
    curve, best = published.figure9(), published.text()["best_caltech256"]
    for column, (label, colour) in PUBLISHED.items():
        points = curve[column].dropna()
        spread = curve["ours_spread"] if column == "ours" else None
        axes.errorbar(points.index, points, yerr=spread, color=colour, marker="s", ms=3.5, lw=1.2, label=label)
    axes.axhline(best, color=DASH, ls="--", lw=1, label=f"Bo et al., published, 60 images per class: {best}")


FIGURE = Figure("figure9", draw)
