"""`zfnet project`: what in each picture makes a unit respond (Zeiler & Fergus, section 2.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zfnet.core.progress import track
from zfnet.drawing.mosaic import contrast
from zfnet.explore.choices import strongest_units
from zfnet.explore.opened_net import Opened
from zfnet.explore.outputs import Panel, Row, class_name, name_sheet, write_results, write_sheet
from zfnet.nets.geometry import receptive_fields
from zfnet.visualize.backward import Rule, descend, find_rule, record, single_out
from zfnet.visualize.net_inputs import Gallery, View
from zfnet.visualize.patches import Box, box, cut

COLUMNS = ("file", "layer", "unit", "rule", "activation", "row", "column", "top", "left", "size", "sheet")


class Projected(NamedTuple):
    """One unit in one picture."""

    unit: int
    activation: float
    row: int  # place of the map's maximum
    column: int
    place: Box  # its receptive field in the crop
    projections: dict[str, np.ndarray]  # rule -> float32 (crop, crop, 3), signed


def project_pictures(
    opened: Opened, gallery: Gallery, layer: str, units: Sequence[int], rules: Sequence[str], top: int, out: Path
) -> None:
    """Write a sheet for every picture, project.csv and project.json into the folder `out`.

    Parameters
    ----------
    units : the same for every picture; empty: of each picture the `top` strongest of the layer.
    rules : names of `zfnet.visualize.RULES`, a column each.

    Raises
    ------
    ZfnetError
        There is no such rule, or no picture could be decoded.
    """
    flags = {rule: find_rule(rule) for rule in rules}
    lines, taken = [], set()
    views = replace(gallery, batch=1).views()
    for view in track(views, "Projecting, pictures", len(gallery)):
        key = gallery.shards.keys[int(view.indices[0])]
        found = list(project_view(gallery, view, layer, units, flags, top))
        sheet = name_sheet("project", key, taken)
        write_sheet(out / sheet, key, [_row(opened, view, layer, one) for one in found])
        lines += [
            (key, layer, one.unit, rule, one.activation, one.row, one.column, *one.place, sheet)
            for one in found
            for rule in rules
        ]
    left_out = getattr(gallery.shards, "damaged", {})
    write_results(out, "project", opened, COLUMNS, lines, pictures=len(taken), left_out=left_out)


def project_view(
    gallery: Gallery, view: View, layer: str, units: Sequence[int], rules: dict[str, Rule], top: int = 1
) -> Iterator[Projected]:
    """Project units of the one picture of `view`, each from the maximum of its map."""
    steps = record(gallery.net, view.inputs, layer)
    output, field = steps[-1].output, receptive_fields(gallery.net)[layer]
    for unit in units or strongest_units(output, top):
        activation, start = single_out(output, unit)
        row, column = divmod(int(output[0, unit].argmax()), output.shape[-1]) if output.ndim == 4 else (0, 0)
        pixels = {name: descend(steps, start, rule)[0].permute(1, 2, 0).cpu().numpy() for name, rule in rules.items()}
        yield Projected(unit, activation.item(), row, column, box(field, row, column, gallery.net.crop), pixels)


def _row(opened: Opened, view: View, layer: str, found: Projected) -> Row:
    """The picture, the patch the unit sees (unless that is all of it), and its projections."""
    picture, crop = view.pixels[0].numpy(), opened.net.crop
    whole = found.place == (0, 0, crop)
    patch = [] if whole else [Panel(cut(picture, found.place), f"what it sees, {found.place.size} px")]
    shown = [Panel(contrast(cut(pixels, found.place)), rule) for rule, pixels in found.projections.items()]
    label = f"{layer}, {class_name(opened, layer, found.unit)}: activation {found.activation:.4g}"
    if not whole:
        label += f" at row {found.row}, column {found.column}"
    return Row(label, [Panel(picture, "picture", None if whole else found.place), *patch, *shown])
