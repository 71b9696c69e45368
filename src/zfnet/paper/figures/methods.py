"""Methods (not in the paper): the same units by every method, and the deconvnet with one step changed.

Above: a unit's strongest image, its projections by three rules, saliency, and the images that activation maximisation
reaches with four published settings. Below: controls, each with its cosine to the deconvnet.
"""

from typing import Any

import numpy as np
import pandas as pd

from zfnet.drawing.figure_page import WIDTH, Page
from zfnet.drawing.mosaic import contrast
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results

METHODS = {
    "patch": "image",
    "deconvnet": "deconvnet",
    "guided": "guided\nbackpropagation",
    "gradient": "gradient",
    "saliency": "saliency",
    "maximised 1": "maximised,\nsmall norms cut",
    "maximised 2": "maximised,\ndecay",
    "maximised 3": "maximised,\nblur",
    "maximised 4": "maximised, small\ncontributions cut",
}
CONTROLS = {
    "deconvnet": "deconvnet,\nas in the paper",
    "norm": "true derivative\nof the norm",
    "keep-max": "overlapping pools:\nlargest wins",
    "overwrite": "overlapping pools:\nlast one wins",
    "centre": "pools: centre,\nno switches",
    "forward-mask": "ReLU: mask of the\nforward pass",
    "no-relu": "no ReLU on\nthe way back",
    "shuffled": "shuffled\nfilters",
}
LEFT, GAP, HEAD, LINE, MARGIN = 0.42, 0.06, 0.36, 0.17, 0.06  # inches


def draw(results: Results) -> Page:
    """Lay out units x methods above units x controls."""
    table = results.required_frame(results.shown("methods.csv"))
    arrays = results.arrays(results.shown("methods.safetensors"))
    units = table.drop_duplicates("layer")
    sides = [_side(columns) for columns in (METHODS, CONTROLS)]
    page = Page(sum(HEAD + len(units) * (side + LINE) for side in sides) + MARGIN)
    top = 0.0
    for columns, side in zip((METHODS, CONTROLS), sides, strict=True):
        _headings(page, columns, side, top)
        for place, unit in enumerate(units.itertuples()):
            own = table[table["layer"] == unit.layer].set_index("method")
            _row(page, columns, arrays, unit, own, top + HEAD + place * (side + LINE), side)
        top += HEAD + len(units) * (side + LINE)
    return page


def _side(columns: dict[str, str]) -> float:
    return (WIDTH - LEFT - MARGIN - GAP * (len(columns) - 1)) / len(columns)


def _headings(page: Page, columns: dict[str, str], side: float, top: float) -> None:
    for place, heading in enumerate(columns.values()):
        centre = LEFT + place * (side + GAP) + side / 2
        page.text(heading, centre, top + HEAD - 0.06, ha="center", size=7, weight="bold", linespacing=1.05)


def _row(
    page: Page, columns: dict[str, str], arrays: dict[str, np.ndarray], unit: Any, own: pd.DataFrame,
    top: float, side: float,
) -> None:  # fmt: skip
    page.text(_named(unit), 0.22, top + side / 2, rotation=90, va="center", ha="center", size=7.5)
    for place, method in enumerate(columns):
        left = LEFT + place * (side + GAP)
        page.image(_tile(arrays, unit.layer, method), left, top, side)
        page.text(_measure(method, own), left + side / 2, top + side + 0.11, ha="center", size=6.5, color="#555555")


def _named(unit: Any) -> str:
    return f"class: {unit.name}" if isinstance(unit.name, str) else f"{unit.layer}, map {unit.unit}"


def _tile(arrays: dict[str, np.ndarray], layer: str, method: str) -> np.ndarray:
    """Return one image of one unit: uint8 (t, t, 3)."""
    if method.startswith("maximised"):
        return arrays[f"{layer}/maximised"][int(method.split()[1]) - 1]
    tile = arrays[f"{layer}/{method}"]
    if method == "saliency":
        return np.round(255 * tile.clip(0) / max(tile.max(), 1e-12)).astype(np.uint8).repeat(3, 2)
    return tile if method == "patch" else contrast(tile)


def _measure(method: str, own: pd.DataFrame) -> str:
    """Return the cosine of a rule or the gain of a maximisation; nothing for the image and the deconvnet itself."""
    if method in ("patch", "deconvnet") or method not in own.index:
        return ""
    row = own.loc[method]
    if method.startswith("maximised"):
        return "" if pd.isna(row["gain"]) else f"{row['gain']:.1f}× the image's"
    return f"cosine {row['cosine']:.2f}"


FIGURE = Figure("methods", draw)
