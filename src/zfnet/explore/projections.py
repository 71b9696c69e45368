"""`zfnet project`: project units back to the pixels of each image (Zeiler & Fergus, section 2.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zfnet.core.progress_bar import track
from zfnet.drawing.mosaic import contrast
from zfnet.explore.choices import strongest_units
from zfnet.explore.opened_net import OpenedNet
from zfnet.explore.outputs import (
    Panel,
    Row,
    left_out,
    name_sheet,
    print_classes,
    unit_name,
    write_results,
    write_sheet,
)
from zfnet.nets.geometry import receptive_fields
from zfnet.visualize.backward import Rule, backproject, find_rule, forward_trace, select_unit
from zfnet.visualize.net_inputs import InputBatch, InputLoader
from zfnet.visualize.patches import Box, box, cut

COLUMNS = ("file", "layer", "unit", "rule", "activation", "row", "column", "top", "left", "size", "sheet")


class Projected(NamedTuple):
    """The projections of one unit in one image."""

    unit: int
    activation: float
    row: int  # position of the map's maximum
    column: int
    place: Box  # its receptive field in the crop
    projections: dict[str, np.ndarray]  # rule -> float32 (crop, crop, 3), signed


def project_images(
    opened: OpenedNet, loader: InputLoader, layer: str, units: Sequence[int], rules: Sequence[str], top: int, out: Path
) -> None:
    """Write a sheet for every image, project.csv and project.json into the folder `out`.

    Parameters
    ----------
    units : the same for every image; empty: for each image the `top` units with the largest activation.
    rules : names in `zfnet.visualize.RULES`, one column each.

    Raises
    ------
    ZfnetError
        There is no such rule, or no image could be decoded.
    """
    flags = {rule: find_rule(rule) for rule in rules}
    lines: list[tuple[Any, ...]] = []
    taken: set[str] = set()
    batches = replace(loader, batch_size=1).batches()
    for batch in track(batches, "Projecting, images", len(loader)):
        key = loader.shards.keys[int(batch.indices[0])]
        print_classes(opened, key, batch.inputs)
        found = list(project_view(loader, batch, layer, units, flags, top))
        sheet = name_sheet("project", key, taken)
        write_sheet(out / sheet, key, [_row(opened, batch, layer, one) for one in found])
        lines += [
            (key, layer, one.unit, rule, one.activation, one.row, one.column, *one.place, sheet)
            for one in found
            for rule in rules
        ]
    write_results(out, "project", opened, COLUMNS, lines, images=len(taken), left_out=left_out(loader.shards))


def project_view(
    loader: InputLoader, batch: InputBatch, layer: str, units: Sequence[int], rules: dict[str, Rule], top: int = 1
) -> Iterator[Projected]:
    """Project units of the one image of `batch`, each from the maximum of its map."""
    records = forward_trace(loader.net, batch.inputs, layer)
    output, field = records[-1].output, receptive_fields(loader.net)[layer]
    for unit in units or strongest_units(output, top):
        activation, start = select_unit(output, unit)
        row, column = divmod(int(output[0, unit].argmax()), output.shape[-1]) if output.ndim == 4 else (0, 0)
        pixels = {
            name: backproject(records, start, rule)[0].permute(1, 2, 0).cpu().numpy() for name, rule in rules.items()
        }
        yield Projected(unit, activation.item(), row, column, box(field, row, column, loader.net.crop), pixels)


def _row(opened: OpenedNet, batch: InputBatch, layer: str, found: Projected) -> Row:
    """Make a row of the image, the receptive field (unless it is the whole crop) and the projections."""
    image, crop = batch.pixels[0].numpy(), opened.net.crop
    whole = found.place == (0, 0, crop)
    patch = [] if whole else [Panel(cut(image, found.place), f"receptive field, {found.place.size} px")]
    shown = [Panel(contrast(cut(pixels, found.place)), rule) for rule, pixels in found.projections.items()]
    label = f"{layer}, {unit_name(opened, layer, found.unit)}: activation {found.activation:.4g}"
    if not whole:
        label += f" at row {found.row}, column {found.column}"
    return Row(label, [Panel(image, "image", None if whole else found.place), *patch, *shown])
