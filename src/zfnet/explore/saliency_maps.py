"""`zfnet saliency`: on which pixels a score hangs (Simonyan, Vedaldi & Zisserman 2013)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfnet.core.progress import track
from zfnet.explore.choices import strongest_units
from zfnet.explore.opened_net import Opened
from zfnet.explore.outputs import Panel, Row, class_name, name_sheet, write_results, write_sheet
from zfnet.visualize.net_inputs import Gallery
from zfnet.visualize.saliency import derivative_of

COLUMNS = ("file", "layer", "unit", "activation", "peak", "row", "column", "sheet")
OUTLIERS = 99.5  # per cent of pixels below white


def saliency_of_pictures(
    opened: Opened, gallery: Gallery, layer: str, units: Sequence[int], top: int, out: Path
) -> None:
    """Write a sheet for every picture, saliency.csv and saliency.json into the folder `out`.

    The table has each unit's activation, the largest saliency (activation per grey level), and that pixel's place.

    Parameters
    ----------
    units : classes, or units of the layer; empty: of each picture the `top` strongest.
    """
    lines, taken = [], set()
    for view in track(replace(gallery, batch=1).views(), "Saliency, pictures", len(gallery)):
        key = gallery.shards.keys[int(view.indices[0])]
        sheet, rows, picture = name_sheet("saliency", key, taken), [], view.pixels[0].numpy()
        for unit in units or strongest_units(_output(opened, view.inputs, layer), top):
            activation, gradient = derivative_of(opened.net, view.inputs, layer, unit)
            found = gradient[0].abs().amax(0).cpu().numpy()  # (crop, crop)
            lines.append((key, layer, unit, activation.item(), float(found.max()), *_peak(found), sheet))
            label = f"{layer}, {class_name(opened, layer, unit)}: {activation.item():.4g}"
            rows.append(Row(label, [Panel(picture, "picture"), Panel(_grey(found), "saliency"), _lit(picture, found)]))
        write_sheet(out / sheet, f"{key}: saliency", rows)
    left_out = getattr(gallery.shards, "damaged", {})
    write_results(out, "saliency", opened, COLUMNS, lines, pictures=len(taken), left_out=left_out)


@torch.no_grad()
def _output(opened: Opened, inputs: Tensor, layer: str) -> Tensor:
    *_, last = opened.net.walk(inputs, layer)
    return last.output


def _peak(found: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(found.argmax(), found.shape)
    return int(row), int(column)


def _share(found: np.ndarray) -> np.ndarray:
    """Saliency as a share of its 99.5th percentile, 0..1."""
    return np.clip(found / max(np.percentile(found, OUTLIERS), 1e-30), 0, 1)


def _grey(found: np.ndarray) -> np.ndarray:
    return np.repeat(np.round(255 * _share(found))[..., None], 3, axis=2).astype(np.uint8)


def _lit(picture: np.ndarray, found: np.ndarray) -> Panel:
    """The picture, dark where nothing hangs on it."""
    light = 0.15 + 0.85 * np.sqrt(_share(found))[..., None]
    return Panel(np.round(picture * light).astype(np.uint8), "picture, lit by it")
