"""`zfnet strongest`: the pictures in which units respond most, as patches beside projections (Figure 2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zfnet.core.progress import track
from zfnet.drawing.mosaic import contrast, mosaic
from zfnet.explore.opened_net import Opened
from zfnet.explore.outputs import ROWS, Panel, Row, class_name, page_name, write_results, write_sheet
from zfnet.visualize.backward import find_rule
from zfnet.visualize.net_inputs import GREY, Gallery
from zfnet.visualize.patches import Tiles, tiles
from zfnet.visualize.top_activations import Strongest, find_strongest

COLUMNS = ("layer", "unit", "rank", "file", "activation", "row", "column", "top", "left", "size", "rule", "sheet")
ACROSS = 2  # units beside each other


def show_strongest(
    opened: Opened, gallery: Gallery, units: Mapping[str, Sequence[int]], rule: str, top: int, out: Path
) -> None:
    """Write sheets for every layer (conv1.png, conv1-2.png …), strongest.csv and strongest.json into the folder `out`.

    One pass over the pictures keeps the `top` of every unit, a second one looks at the winners alone; memory does not
    grow with the number of pictures.

    Parameters
    ----------
    units : layer -> units of it.
    rule : a name of `zfnet.visualize.RULES`.
    """
    flags = find_rule(rule)
    views = track(gallery.views(), "Strongest activations, batches", -(-len(gallery) // gallery.batch))
    lines = []
    for layer, best in find_strongest(gallery.net, views, units, top).items():
        title = f"{layer}: strongest of {len(gallery)} pictures, and their projections ({rule})"
        for page, start in enumerate(range(0, len(units[layer]), ROWS * ACROSS)):
            some = slice(start, start + ROWS * ACROSS)
            shown, theirs = units[layer][some], Strongest(*(part[some] for part in best))
            found, sheet = tiles(gallery, layer, shown, theirs, flags), page_name(layer, page)
            write_sheet(out / sheet, title, _rows(opened, layer, shown, theirs, found))
            lines += [(*line, rule, sheet) for line in _lines(gallery, layer, shown, theirs, found)]
    left_out = getattr(gallery.shards, "damaged", {})
    write_results(out, "strongest", opened, COLUMNS, lines, pictures=len(gallery) - len(left_out), left_out=left_out)


def _rows(opened: Opened, layer: str, units: Sequence[int], best: Strongest, found: Tiles) -> list[Row]:
    panels = []
    for one, unit in enumerate(units):
        values = best.values[one].tolist()
        caption = f"{class_name(opened, layer, unit)}: {values[0]:.3g} to {values[-1]:.3g}"
        silent = best.values[one].numpy() == 0
        patches = np.where(silent[:, None, None, None], np.uint8(GREY), found.patches[one])
        across = int(np.ceil(np.sqrt(len(patches))))
        panels += [Panel(mosaic(patches, across), caption), Panel(mosaic(contrast(found.projections[one]), across))]
    return [Row("", panels[start : start + 2 * ACROSS]) for start in range(0, len(panels), 2 * ACROSS)]


def _lines(gallery: Gallery, layer: str, units: Sequence[int], best: Strongest, found: Tiles) -> list[tuple[Any, ...]]:
    keys, lines = gallery.shards.keys, []
    for one, unit in enumerate(units):
        winners = zip(*(part[one].tolist() for part in best), found.boxes[one], strict=True)
        for rank, (value, image, row, column, place) in enumerate(winners):
            lines.append((layer, unit, rank, keys[image], value, row, column, *place))
    return lines
