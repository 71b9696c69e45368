"""Near-duplicates against the threshold: which copies are found, how many images have a match (section 5.2, D29).

Left: the fraction of copies of the transfer sets' own images that the search finds, by the change made to them. Right:
the fraction of each set's images with a match among the training images. A good threshold finds all copies on the left
and lies where the curves on the right are flat.
"""

from textwrap import wrap

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from zfnet.drawing.figure_page import INK, Page
from zfnet.paper import published
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results
from zfnet.paper.tables.table4 import NAMES

CURVE, SUMMARY = "transfer/duplicates-curve.csv", "transfer/duplicates.json"
TITLES = {"copies found": "copies found (%)", "images with a match": "images with a match in training (%)"}


def draw(results: Results) -> Page:
    """Draw both curves and our counts beside the published ones."""
    curve, summary = results.required_frame(CURVE), results.required_json(SUMMARY)
    page = Page(4.0)
    for left, (what, title) in zip((0.55, 5.4), TITLES.items(), strict=True):
        axes = page.axes(left, 0.4, 2.4, 2.5)
        _lines(axes, curve[curve["of"] == what], summary["threshold"])
        axes.set_title(title, loc="left", fontweight="bold", color=INK)
    page.text(_counts(summary["counts"]), 0.55, 3.9, fontsize=7.5, color="#555555", linespacing=1.5)
    return page


def _lines(axes: Axes, points: pd.DataFrame, threshold: float) -> None:
    shown = points.assign(name=points["name"].replace(NAMES).map(_folded), percent=100 * points["fraction"])
    sns.lineplot(shown, x="threshold", y="percent", hue="name", ax=axes, lw=1.3)
    axes.axvline(threshold, color="#444444", ls="--", lw=0.9)
    sns.despine(ax=axes)
    axes.set(xlabel="threshold of the correlation", ylabel="", ylim=(0, None))
    axes.grid(color="#eeeeee", lw=0.6)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7, title=None)


def _counts(counts: dict[str, dict[str, int]]) -> str:
    lines = [
        f"{NAMES[name]}: {of['found']} of {of['images']} images, at most {of['most_in_one_class']} in a class "
        f"(published: {_published(name)} and {_published(f'{name}_class')})"
        for name, of in counts.items()
    ]
    return "At the dashed threshold:\n" + "\n".join(lines)


def _folded(name: str) -> str:
    return "\n".join(wrap(name, 20))


def _published(name: str) -> str:
    return f"{published.text()[f'duplicates_{name}']:g}"


FIGURE = Figure("near_duplicates", draw)
