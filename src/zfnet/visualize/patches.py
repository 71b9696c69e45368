"""Patches and projections of single activations, of which Figures 2, 4, 6 and 7 are composed.

A tile is the receptive field of one unit, cut out of the centre crop: of the image itself and of the unit's projection.
What lies outside the crop is 0 (D18). In small crops the fields of the upper layers are larger than the crop (139 px
for layer 5); then a tile is the whole crop, since the net sees nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.nets.geometry import Field, receptive_fields
from zfnet.visualize.backward import DECONVNET, Rule, forward_trace, select_unit
from zfnet.visualize.net_inputs import InputLoader
from zfnet.visualize.top_activations import TopActivations
from zfnet.visualize.windowed_backward import backproject_windowed

PEAK = 127  # largest absolute value of a stored projection: grey + projection stays within 0..255
_BATCH_SIZE = 32  # projections computed at a time, at most
_TOLERANCE = 1e-2  # of the activation; a GPU's reduced precision stays below it


class Box(NamedTuple):
    """Position of a tile in the centre crop, pixels; negative or beyond the crop where the tile is padded."""

    top: int
    left: int
    size: int


class Tiles(NamedTuple):
    """Tiles of the k top activations of M maps; t is their side."""

    patches: np.ndarray  # uint8 (M, k, t, t, 3)
    projections: np.ndarray  # float16 (M, k, t, t, 3), signed, peak 127 (see `as_half`)
    boxes: list[list[Box]]  # [map][rank]


def tile_size(field: Field, crop: int) -> int:
    """Return the side of a layer's tiles: that of its receptive field, at most the crop."""
    return min(field.size, crop)


def box(field: Field, row: int, column: int, crop: int) -> Box:
    """Return the box of the tile of the unit at (row, column)."""
    if field.size >= crop:
        return Box(0, 0, crop)
    return Box(field.offset + field.stride * row, field.offset + field.stride * column, field.size)


def cut(image: np.ndarray, place: Box) -> np.ndarray:
    """Cut a tile out of (H, W, C), with zeros outside: -> (size, size, C)."""
    tile = np.zeros((place.size, place.size, image.shape[2]), image.dtype)
    rows, columns = (_overlap(start, place.size, n) for start, n in zip(place[:2], image.shape[:2], strict=True))
    tile[_shifted(rows, place.top), _shifted(columns, place.left)] = image[rows, columns]
    return tile


def render_tiles(
    loader: InputLoader, best: Mapping[str, TopActivations], maps: Mapping[str, Sequence[int]]
) -> dict[str, Tiles]:
    """Make the second pass over the data: decode only the top images, check their activations and project them.

    Raises
    ------
    ZfnetError
        An activation differs from that of the first pass.
    """
    return {layer: tiles(loader, layer, maps[layer], top) for layer, top in best.items()}


def tiles(loader: InputLoader, layer: str, maps: Sequence[int], best: TopActivations, rule: Rule = DECONVNET) -> Tiles:
    """Project the top activations of M maps of one layer, and cut out their tiles.

    Parameters
    ----------
    maps : the M maps.
    best : their k top activations each, from `zfnet.visualize.find_strongest`.
    """
    field, crop = receptive_fields(loader.net)[layer], loader.net.crop
    count, k = best.images.shape
    units = torch.as_tensor(maps).repeat_interleave(k)  # (M k,)
    places = torch.stack([best.rows.flatten(), best.columns.flatten()], 1).tolist()
    boxes = [box(field, row, column, crop) for row, column in places]
    patches: list[np.ndarray] = []
    projections: list[np.ndarray] = []
    for pixels, projected in _project_batches(loader, layer, units, best, rule):
        for image, projection in zip(pixels, projected, strict=True):
            place = boxes[len(patches)]
            patches.append(cut(image, place))
            projections.append(as_half(cut(projection, place)))
    shape = (count, k, *[tile_size(field, crop)] * 2, 3)
    nested = [boxes[start : start + k] for start in range(0, count * k, k)]
    return Tiles(np.stack(patches).reshape(shape), np.stack(projections).reshape(shape), nested)


def as_half(projection: np.ndarray) -> np.ndarray:
    """Convert a projection to float16, with its largest absolute value scaled to `PEAK` unless it is all zero.

    The scale of a projection carries no information: it grows and shrinks with the filters of every layer, and may
    exceed the range of float16. At this scale grey + projection is an image.
    """
    peak = np.abs(projection).max()
    return (projection * (PEAK / peak) if peak > 0 else projection).astype(np.float16)


def _project_batches(
    loader: InputLoader, layer: str, units: Tensor, best: TopActivations, rule: Rule
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pixels uint8 and projections float32, both (b, crop, crop, 3), map by map and rank by rank."""
    values, images, rows, columns = (part.flatten() for part in best)  # (M k,) each
    positions = torch.stack([rows, columns], 1)  # (M k, 2)
    size = min(_BATCH_SIZE, loader.batch_size)
    batches = replace(loader, batch_size=size).batches(images.tolist())
    for start, batch in zip(range(0, len(images), size), batches, strict=True):
        part = slice(start, start + size)
        records = forward_trace(loader.net, batch.inputs, layer)
        activation, signal = select_unit(records[-1].output, units[part], positions[part])
        _require_close(layer, values[part], activation.float().cpu())
        projected = backproject_windowed(records, signal, rule)  # (b, 3, crop, crop)
        yield batch.pixels.numpy(), projected.permute(0, 2, 3, 1).float().cpu().numpy()


def _require_close(layer: str, expected: Tensor, activation: Tensor) -> None:
    worst = (expected - activation).abs().max().item()
    if worst > _TOLERANCE * (1e-3 + expected.abs().max().item()):
        raise ZfnetError(
            f"{layer}: a top activation differs by {worst:.3g} when computed again, so the images or the net have "
            "changed since. Delete the output and run this stage again."
        )


def _overlap(start: int, size: int, limit: int) -> slice:
    """Return the part of start … start + size that lies in 0 … limit."""
    begin = min(max(start, 0), limit)
    return slice(begin, max(begin, min(start + size, limit)))


def _shifted(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)
