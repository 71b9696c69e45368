"""`zfnet saliency`: the sensitivity of a score to each pixel (Simonyan, Vedaldi & Zisserman 2013)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfnet.core.progress_bar import track
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
from zfnet.visualize.net_inputs import InputLoader
from zfnet.visualize.saliency import unit_gradient

COLUMNS = ("file", "layer", "unit", "activation", "peak", "row", "column", "sheet")
WHITE_PERCENTILE = 99.5  # of the saliency; above it pixels are white


def saliency_of_images(
    opened: OpenedNet, loader: InputLoader, layer: str, units: Sequence[int], top: int, out: Path
) -> None:
    """Write a sheet for every image, saliency.csv and saliency.json into the folder `out`.

    The table has the activation of each unit, the largest saliency (activation per grey level), and its pixel.

    Parameters
    ----------
    units : classes, or units of the layer; empty: for each image the `top` units with the largest activation.
    """
    lines: list[tuple[Any, ...]] = []
    taken: set[str] = set()
    for batch in track(replace(loader, batch_size=1).batches(), "Saliency, images", len(loader)):
        key = loader.shards.keys[int(batch.indices[0])]
        print_classes(opened, key, batch.inputs)
        sheet, rows, image = name_sheet("saliency", key, taken), [], batch.pixels[0].numpy()
        for unit in units or strongest_units(_output(opened, batch.inputs, layer), top):
            activation, gradient = unit_gradient(opened.net, batch.inputs, layer, unit)
            saliency = gradient[0].abs().amax(0).cpu().numpy()  # (crop, crop)
            lines.append((key, layer, unit, activation.item(), float(saliency.max()), *_peak(saliency), sheet))
            label = f"{layer}, {unit_name(opened, layer, unit)}: {activation.item():.4g}"
            panels = [Panel(image, "image"), Panel(_to_grey(saliency), "saliency"), _brightened(image, saliency)]
            rows.append(Row(label, panels))
        write_sheet(out / sheet, f"{key}: saliency", rows)
    write_results(out, "saliency", opened, COLUMNS, lines, images=len(taken), left_out=left_out(loader.shards))


@torch.no_grad()
def _output(opened: OpenedNet, inputs: Tensor, layer: str) -> Tensor:
    *_, last = opened.net.iter_forward(inputs, layer)
    return last.output


def _peak(saliency: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(saliency.argmax(), saliency.shape)
    return int(row), int(column)


def _normalise(saliency: np.ndarray) -> np.ndarray:
    """Return the saliency as a fraction of its 99.5th percentile, 0..1."""
    return np.clip(saliency / max(np.percentile(saliency, WHITE_PERCENTILE), 1e-30), 0, 1)


def _to_grey(saliency: np.ndarray) -> np.ndarray:
    return np.repeat(np.round(255 * _normalise(saliency))[..., None], 3, axis=2).astype(np.uint8)


def _brightened(image: np.ndarray, saliency: np.ndarray) -> Panel:
    """Show the image, dark where the saliency is low."""
    brightness = 0.15 + 0.85 * np.sqrt(_normalise(saliency))[..., None]
    return Panel(np.round(image * brightness).astype(np.uint8), "image, brightness by saliency")
