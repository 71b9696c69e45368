"""The output of the commands: sheets, which are rows of small images with captions, a table and its provenance."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from zfnet.core.device import device
from zfnet.core.files import atomic, sha256, write_json
from zfnet.core.provenance import provenance
from zfnet.core.tables import write_table
from zfnet.data.own_images import readable
from zfnet.drawing.figure_page import DPI, STYLE, Page
from zfnet.explore.legible import font_families, legible
from zfnet.explore.opened_net import OpenedNet
from zfnet.visualize.examples import probabilities
from zfnet.visualize.patches import Box

SIDE, GAP, MARGIN = 2.1, 0.14, 0.2  # inches: a panel, between panels, around the sheet
TITLE, LABEL, CAPTION, LEGEND = 0.42, 0.3, 0.22, 0.5
LETTERS = 13  # per inch of a title
ROWS = 16  # per page
TOP = 5  # classes printed for each image
ACCENT, FAINT = "#e8590c", "#666666"


class Panel(NamedTuple):
    """An image with its caption."""

    pixels: np.ndarray  # uint8 (h, w, 3)
    caption: str = ""
    frame: Box | None = None  # drawn around a part of the image
    legend: Mapping[str, Any] = {}  # name -> colour


class Row(NamedTuple):
    """Panels side by side under a label."""

    label: str
    panels: Sequence[Panel]


def draw(title: str, rows: Sequence[Row]) -> Figure:
    """Draw a sheet: a title and rows of panels."""
    with matplotlib.rc_context(cast(Any, STYLE | {"font.family": font_families()})):
        columns = max(len(row.panels) for row in rows)
        width = 2 * MARGIN + columns * (SIDE + GAP) - GAP
        page = Page(TITLE + sum(map(_height, rows)) + MARGIN / 2, width)
        page.text(legible(_tail(title, int(LETTERS * (width - 2 * MARGIN)))), MARGIN, 0.28, size=10, weight="bold")
        top = TITLE
        for row in rows:
            _draw_row(page, row, top)
            top += _height(row)
        return page.figure


def write_sheet(path: Path, title: str, rows: Sequence[Row]) -> None:
    """Draw a sheet and write it as PNG."""
    figure = draw(title, rows)
    style = cast(Any, STYLE | {"font.family": font_families()})
    with matplotlib.rc_context(style), atomic(path) as beside:
        figure.savefig(beside, dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 4})


def page_name(stem: str, page: int) -> str:
    """Return the file name of a page, counted from 0."""
    return f"{stem}-{page + 1}.png" if page else f"{stem}.png"


def write_results(
    out: Path, command: str, opened: OpenedNet, columns: Sequence[str], rows: Iterable[Sequence[Any]], **more: Any
) -> None:
    """Write COMMAND.csv, and beside it COMMAND.json with the net, `more` and the provenance; print what was written.

    The last column is the name of the sheet.
    """
    rows = list(rows)
    write_table(out / f"{command}.csv", columns, rows)
    files = {name: {"path": str(path), "sha256": sha256(path)} for name, path in opened.files.items()}
    record = provenance(device=str(device()), inputs=files)
    write_json(out / f"{command}.json", {"network": opened.description, **more, "provenance": record})
    sheets = sorted({row[-1] for row in rows})
    shown = sheets[0] if len(sheets) == 1 else f"{len(sheets)} sheets ({sheets[0]} …)" if sheets else "no sheet"
    print(f"Wrote {shown}, {command}.csv and {command}.json to {readable(out)}.")
    if more.get("left_out"):
        print(f"Left out: {len(more['left_out'])}; {command}.json names each with its reason.")


def left_out(images: Any) -> dict[str, str]:
    """Return what a folder holds besides images, and the images that could not be decoded: file -> reason."""
    return {**getattr(images, "left_out", {}), **getattr(images, "damaged", {})}


def print_classes(opened: OpenedNet, key: str, inputs: Tensor) -> None:
    """Print the five most probable classes of an image, if the net has class scores."""
    net = opened.net
    if len(net.operations) - 1 in net.layers.values():
        best = probabilities(net, inputs)[0].topk(min(TOP, net.classes))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        print(f"{key}: {', '.join(f'{class_name(opened, label)} {100 * value:.0f} %' for label, value in pairs)}")


def class_name(opened: OpenedNet, label: int) -> str:
    """Return the first of a class's names, or its number."""
    return opened.classes[label].split(",")[0] if opened.classes else f"class {label}"


def name_sheet(command: str, key: str, taken: set[str]) -> str:
    """Return a file name for an image's sheet that is not in `taken`, ignoring case, and add it.

    It starts with the command, so a sheet never overwrites the image.
    """
    stem = f"{command}-{Path(key).stem or 'image'}"
    names = (f"{stem}.png", *(f"{stem}-{number}.png" for number in range(2, len(taken) + 3)))
    name = next(name for name in names if name.lower() not in taken)
    taken.add(name.lower())
    return name


def unit_name(opened: OpenedNet, layer: str, unit: int) -> str:
    """Return the name of a unit: that of the class in the last layer."""
    if opened.net.layers[layer] != len(opened.net.operations) - 1:
        return f"unit {unit}"
    return f"class {unit}, {opened.classes[unit]}" if opened.classes else f"class {unit}"


def _height(row: Row) -> float:
    foot = LEGEND if any(panel.legend for panel in row.panels) else CAPTION
    return (LABEL if row.label else 0.06) + SIDE + foot


def _draw_row(page: Page, row: Row, top: float) -> None:
    if row.label:
        page.text(legible(row.label), MARGIN, top + 0.19, size=9)
        top += LABEL
    for column, panel in enumerate(row.panels):
        _draw_panel(page, panel, MARGIN + column * (SIDE + GAP), top)


def _draw_panel(page: Page, panel: Panel, left: float, top: float) -> None:
    axes = page.image(panel.pixels, left, top, SIDE)
    if panel.frame:
        y, x, size = panel.frame
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), size, size, fill=False, edgecolor=ACCENT, lw=1.6))
    page.text(legible(panel.caption), left, top + SIDE + 0.14, size=7.5, color=FAINT)
    if panel.legend:
        _draw_legend(page, panel.legend, left, top + SIDE + 0.18)


def _draw_legend(page: Page, legend: Mapping[str, Any], left: float, top: float) -> None:
    axes = page.axes(left, top, SIDE, LEGEND - 0.2)
    axes.set_axis_off()
    patches = [Patch(color=colour, label=legible(_tail(name, 14, head=True))) for name, colour in legend.items()]
    spacing = {"borderpad": 0, "borderaxespad": 0, "columnspacing": 0.8, "labelspacing": 0.2, "handletextpad": 0.4}
    axes.legend(handles=patches, loc="upper left", ncols=2, fontsize=6.5, handlelength=0.8, **spacing)


def _tail(text: str, letters: int, head: bool = False) -> str:
    """Shorten a text to its end (or its `head`)."""
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if head else f"…{text[1 - letters :]}"
