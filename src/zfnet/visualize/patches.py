"""Patches and projections of single activations: what Figures 2, 4, 6 and 7 are tiled with.

A tile is the receptive field of one unit, cut from the centre crop: of the picture itself and of the unit's projection.
What lies outside the crop is 0 (D18). In small crops the fields of the upper layers are larger than the crop (139 px
for layer 5); there a tile is the whole crop, since more than that the net never saw.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.nets.geometry import Field, receptive_fields
from zfnet.visualize.backward import DECONVNET, Rule, record, single_out
from zfnet.visualize.net_inputs import Gallery
from zfnet.visualize.top_activations import Strongest
from zfnet.visualize.windowed_backward import descend_narrow

PEAK = 127  # largest absolute value of a stored projection: grey + projection stays within 0..255
_TOGETHER = 32  # projections at once, at most
_AGREE = 1e-2  # of an activation's size: reduced precision of a GPU stays below


class Box(NamedTuple):
    """Where a tile lies in the centre crop, pixels; negative or beyond the crop where it is padded."""

    top: int
    left: int
    size: int


class Tiles(NamedTuple):
    """Tiles of the k strongest of M maps."""

    patches: np.ndarray  # uint8 (M, k, t, t, 3)
    projections: np.ndarray  # float16 (M, k, t, t, 3), signed, peak 127 (see `as_half`)
    boxes: list[list[Box]]  # [map][rank]


def tile_size(field: Field, crop: int) -> int:
    """Side of a layer's tiles: its receptive field, at most the crop."""
    return min(field.size, crop)


def box(field: Field, row: int, column: int, crop: int) -> Box:
    """The tile of the unit at (row, column)."""
    if field.size >= crop:
        return Box(0, 0, crop)
    return Box(field.offset + field.stride * row, field.offset + field.stride * column, field.size)


def cut(image: np.ndarray, place: Box) -> np.ndarray:
    """Cut a tile out of (H, W, C), zeros outside: -> (size, size, C)."""
    tile = np.zeros((place.size, place.size, image.shape[2]), image.dtype)
    rows, columns = (_overlap(start, place.size, n) for start, n in zip(place[:2], image.shape[:2], strict=True))
    tile[_moved(rows, place.top), _moved(columns, place.left)] = image[rows, columns]
    return tile


def look_again(gallery: Gallery, found: Mapping[str, Strongest], maps: Mapping[str, Sequence[int]]) -> dict[str, Tiles]:
    """Second pass: decode the winners only, check their activations and project them to pixels.

    Raises
    ------
    ZfnetError
        An activation is not what the first pass found.
    """
    return {layer: tiles(gallery, layer, maps[layer], best) for layer, best in found.items()}


def tiles(gallery: Gallery, layer: str, maps: Sequence[int], best: Strongest, rule: Rule = DECONVNET) -> Tiles:
    """Cut and project the strongest activations of one layer's maps."""
    field, crop = receptive_fields(gallery.net)[layer], gallery.net.crop
    count, k = best.images.shape
    units = torch.as_tensor(maps).repeat_interleave(k)
    places = torch.stack([best.rows.flatten(), best.columns.flatten()], 1).tolist()
    boxes = [box(field, row, column, crop) for row, column in places]
    patches, projections = [], []
    for pixels, projected in _projected(gallery, layer, units, best, rule):
        for picture, projection in zip(pixels, projected, strict=True):
            place = boxes[len(patches)]
            patches.append(cut(picture, place))
            projections.append(as_half(cut(projection, place)))
    shape = (count, k, *[tile_size(field, crop)] * 2, 3)
    nested = [boxes[start : start + k] for start in range(0, count * k, k)]
    return Tiles(np.stack(patches).reshape(shape), np.stack(projections).reshape(shape), nested)


def as_half(projection: np.ndarray) -> np.ndarray:
    """Store a projection in half precision, its largest absolute value scaled to `PEAK` unless it is all zero.

    The scale of a projection says nothing, for nothing on the way back restores that of pixels: it grows and shrinks
    with the filters of every layer and may well leave the range of float16. Scaled so, grey + projection is a picture.
    """
    peak = np.abs(projection).max()
    return (projection * (PEAK / peak) if peak > 0 else projection).astype(np.float16)


def _projected(
    gallery: Gallery, layer: str, units: Tensor, best: Strongest, rule: Rule
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels uint8 and projections float32, both (b, crop, crop, 3), of the strongest, map by map and rank by rank."""
    values, images, rows, columns = (part.flatten() for part in best)
    positions = torch.stack([rows, columns], 1)
    together = min(_TOGETHER, gallery.batch)
    views = replace(gallery, batch=together).views(images.tolist())
    for start, view in zip(range(0, len(images), together), views, strict=True):
        part = slice(start, start + together)
        steps = record(gallery.net, view.inputs, layer)
        activation, signal = single_out(steps[-1].output, units[part], positions[part])
        _check(layer, values[part], activation.float().cpu())
        projected = descend_narrow(steps, signal, rule)
        yield view.pixels.numpy(), projected.permute(0, 2, 3, 1).float().cpu().numpy()


def _check(layer: str, expected: Tensor, found: Tensor) -> None:
    worst = (expected - found).abs().max().item()
    if worst > _AGREE * (1e-3 + expected.abs().max().item()):
        raise ZfnetError(
            f"{layer}: a strongest activation differs by {worst:.3g} when computed again; the pictures or the net "
            "changed meanwhile. Delete the output and run the step again."
        )


def _overlap(start: int, size: int, limit: int) -> slice:
    begin = min(max(start, 0), limit)
    return slice(begin, max(begin, min(start + size, limit)))


def _moved(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)
