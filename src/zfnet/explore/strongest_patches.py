"""`zfnet strongest`: patches with the top activations of units, beside their projections (Figure 2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zfnet.core.progress_bar import track
from zfnet.drawing.mosaic import contrast, mosaic
from zfnet.explore.opened_net import OpenedNet
from zfnet.explore.outputs import ROWS, Panel, Row, left_out, page_name, unit_name, write_results, write_sheet
from zfnet.visualize.backward import find_rule
from zfnet.visualize.net_inputs import GREY, InputLoader
from zfnet.visualize.patches import Tiles, tiles
from zfnet.visualize.top_activations import TopActivations, find_strongest

COLUMNS = ("layer", "unit", "rank", "file", "activation", "row", "column", "top", "left", "size", "rule", "sheet")
ACROSS = 2  # units side by side


def show_strongest(
    opened: OpenedNet, loader: InputLoader, units: Mapping[str, Sequence[int]], rule: str, top: int, out: Path
) -> None:
    """Write sheets for every layer (conv1.png, conv1-2.png …), strongest.csv and strongest.json into the folder `out`.

    The first pass over the images finds the `top` images of every unit, the second one decodes only these; the memory
    does not depend on the number of images.

    Parameters
    ----------
    units : layer -> its units.
    rule : a name in `zfnet.visualize.RULES`.
    """
    flags = find_rule(rule)
    batches = track(loader.batches(), "Top activations, minibatches", -(-len(loader) // loader.batch_size))
    lines = []
    for layer, best in find_strongest(loader.net, batches, units, top).items():
        title = f"{layer}: strongest of {len(loader)} images, and their projections ({rule})"
        for page, start in enumerate(range(0, len(units[layer]), ROWS * ACROSS)):
            part = slice(start, start + ROWS * ACROSS)
            shown, top_shown = units[layer][part], TopActivations(*(values[part] for values in best))
            rendered, sheet = tiles(loader, layer, shown, top_shown, flags), page_name(layer, page)
            write_sheet(out / sheet, title, _rows(opened, layer, shown, top_shown, rendered))
            lines += [(*line, rule, sheet) for line in _lines(loader, layer, shown, top_shown, rendered)]
    count = len(loader) - len(getattr(loader.shards, "damaged", {}))
    write_results(out, "strongest", opened, COLUMNS, lines, images=count, left_out=left_out(loader.shards))


def _rows(opened: OpenedNet, layer: str, units: Sequence[int], best: TopActivations, rendered: Tiles) -> list[Row]:
    panels = []
    for index, unit in enumerate(units):
        values = best.values[index].tolist()
        caption = f"{unit_name(opened, layer, unit)}: {values[0]:.3g} to {values[-1]:.3g}"
        silent = best.values[index].numpy() == 0
        patches = np.where(silent[:, None, None, None], np.uint8(GREY), rendered.patches[index])
        across = int(np.ceil(np.sqrt(len(patches))))
        panels += [
            Panel(mosaic(patches, across), caption),
            Panel(mosaic(contrast(rendered.projections[index]), across)),
        ]
    return [Row("", panels[start : start + 2 * ACROSS]) for start in range(0, len(panels), 2 * ACROSS)]


def _lines(
    loader: InputLoader, layer: str, units: Sequence[int], best: TopActivations, rendered: Tiles
) -> list[tuple[Any, ...]]:
    keys, lines = loader.shards.keys, []
    for index, unit in enumerate(units):
        winners = zip(*(part[index].tolist() for part in best), rendered.boxes[index], strict=True)
        for rank, (value, image, row, column, place) in enumerate(winners):
            lines.append((layer, unit, rank, keys[image], value, row, column, *place))
    return lines
