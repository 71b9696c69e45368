"""Figure 9: Caltech-256 accuracy against training images per class.

Ours: softmax on frozen layer-7 features, mean and standard deviation over folds. Printed: the paper's own curve, Bo et
al. and Sohn et al., and the dashed line at 55.2 (Bo et al. with 60 images per class).
"""

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfnet.core.errors import ZfnetError
from zfnet.drawing.page import WIDTH, Page
from zfnet.paper import published
from zfnet.paper.results import Results

PRINTED = {
    "ours": ("Zeiler & Fergus, printed", "#7fa6d6"),
    "bo": ("Bo et al., printed", "#c44e52"),
    "sohn": ("Sohn et al., printed", "#55a868"),
}
OURS, DASH = "#1f3f77", "#444444"


def draw(results: Results) -> Figure:
    """Draw our curve over the printed ones."""
    heads = results.frame("transfer/heads/caltech256.csv")
    if heads is None:
        raise ZfnetError(f"{results.root}/transfer/heads/caltech256.csv: no such file; run `snakemake figure9`.")
    page = Page(4.6, WIDTH * 0.8)
    axes = page.axes(0.65, 0.15, page.width - 0.85, 3.85)
    _printed(axes)
    chosen = heads[(heads["head"] == "softmax") & (heads["layer"].astype(str) == "7")]
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
    return page.figure


def _printed(axes: Axes) -> None:
    curve, best = published.figure9(), published.text()["best_caltech256"]
    for column, (label, colour) in PRINTED.items():
        points = curve[column].dropna()
        spread = curve["ours_spread"] if column == "ours" else None
        axes.errorbar(points.index, points, yerr=spread, color=colour, marker="s", ms=3.5, lw=1.2, label=label)
    axes.axhline(best, color=DASH, ls="--", lw=1, label=f"Bo et al., printed, 60 images per class: {best}")
