"""Sheets: rows of small pictures with their captions, and the three files that every command leaves."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from zfnet.core.device import device
from zfnet.core.files import atomic, sha256, write_json
from zfnet.core.provenance import provenance
from zfnet.core.tables import write_table
from zfnet.drawing.page import DPI, STYLE, Page
from zfnet.explore.opened_net import Opened
from zfnet.visualize.patches import Box

SIDE, GAP, MARGIN = 2.1, 0.14, 0.2  # inches: a panel, between panels, around the sheet
TITLE, LABEL, CAPTION, LEGEND = 0.42, 0.3, 0.22, 0.5
LETTERS = 13  # that fit into an inch of a title
ROWS = 16  # on a page, where there may be any number
ACCENT, FAINT = "#e8590c", "#666666"


class Panel(NamedTuple):
    """One picture of a sheet."""

    pixels: np.ndarray  # uint8 (h, w, 3)
    caption: str = ""
    frame: Box | None = None  # drawn around a part of the picture
    legend: Mapping[str, Any] = {}  # name -> colour


class Row(NamedTuple):
    """Panels beside each other, under a line that says what they show."""

    label: str
    panels: Sequence[Panel]


def draw(title: str, rows: Sequence[Row]) -> Figure:
    """Put rows of panels under each other."""
    with matplotlib.rc_context(STYLE):
        columns = max(len(row.panels) for row in rows)
        width = 2 * MARGIN + columns * (SIDE + GAP) - GAP
        page = Page(TITLE + sum(map(_height, rows)) + MARGIN / 2, width)
        page.text(_tail(title, int(LETTERS * (width - 2 * MARGIN))), MARGIN, 0.28, size=10, weight="bold")
        top = TITLE
        for row in rows:
            _draw_row(page, row, top)
            top += _height(row)
        return page.figure


def write_sheet(path: Path, title: str, rows: Sequence[Row]) -> None:
    """Draw a sheet and write it as PNG."""
    figure = draw(title, rows)
    with matplotlib.rc_context(STYLE), atomic(path) as beside:
        figure.savefig(beside, dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 4})


def page_name(stem: str, page: int) -> str:
    """File name of a page, counted from 0, of what does not fit on one sheet."""
    return f"{stem}-{page + 1}.png" if page else f"{stem}.png"


def write_results(
    out: Path, command: str, opened: Opened, columns: Sequence[str], rows: Iterable[Sequence[Any]], **more: Any
) -> None:
    """Write COMMAND.csv, and beside it COMMAND.json with the net, the pictures left out and the provenance."""
    write_table(out / f"{command}.csv", columns, rows)
    files = {name: {"path": str(path), "sha256": sha256(path)} for name, path in opened.files.items()}
    made = provenance(device=str(device()), inputs=files)
    write_json(out / f"{command}.json", {"network": opened.origin, **more, "provenance": made})


def name_sheet(command: str, key: str, taken: set[str]) -> str:
    """A file name for a picture's sheet, no two alike, whatever their case, and none that the picture itself has."""
    stem = f"{command}-{Path(key).stem or 'picture'}"
    names = (f"{stem}.png", *(f"{stem}-{number}.png" for number in range(2, len(taken) + 3)))
    name = next(one for one in names if one.lower() not in taken)
    taken.add(name.lower())
    return name


def class_name(opened: Opened, layer: str, unit: int) -> str:
    """What a unit is called: the class where the layer is the last."""
    if layer != list(opened.net.layers)[-1]:
        return f"unit {unit}"
    return f"class {unit}, {opened.classes[unit]}" if opened.classes else f"class {unit}"


def _height(row: Row) -> float:
    foot = LEGEND if any(panel.legend for panel in row.panels) else CAPTION
    return (LABEL if row.label else 0.06) + SIDE + foot


def _draw_row(page: Page, row: Row, top: float) -> None:
    if row.label:
        page.text(row.label, MARGIN, top + 0.19, size=9)
        top += LABEL
    for column, panel in enumerate(row.panels):
        _draw_panel(page, panel, MARGIN + column * (SIDE + GAP), top)


def _draw_panel(page: Page, panel: Panel, left: float, top: float) -> None:
    axes = page.image(panel.pixels, left, top, SIDE)
    if panel.frame:
        y, x, size = panel.frame
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), size, size, fill=False, edgecolor=ACCENT, lw=1.6))
    page.text(panel.caption, left, top + SIDE + 0.14, size=7.5, color=FAINT)
    if panel.legend:
        _draw_legend(page, panel.legend, left, top + SIDE + 0.18)


def _draw_legend(page: Page, legend: Mapping[str, Any], left: float, top: float) -> None:
    axes = page.axes(left, top, SIDE, LEGEND - 0.2)
    axes.set_axis_off()
    patches = [Patch(color=colour, label=_tail(name, 14, head=True)) for name, colour in legend.items()]
    spacing = {"borderpad": 0, "borderaxespad": 0, "columnspacing": 0.8, "labelspacing": 0.2, "handletextpad": 0.4}
    axes.legend(handles=patches, loc="upper left", ncols=2, fontsize=6.5, handlelength=0.8, **spacing)


def _tail(text: str, letters: int, head: bool = False) -> str:
    """The end (or the `head`) of a text that is too long."""
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if head else f"…{text[1 - letters :]}"
