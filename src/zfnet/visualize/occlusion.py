"""Occlusion (Figure 7): a grey square slides over a picture, and the net says what it misses.

At every place of the square: (b) total activation of the layer-5 map that was strongest, by total, on the uncovered
picture; (d) probability of the true class; (e) the most probable class. (c) is that map's projection for this picture
and for the three others with the largest maximum of the map, in the order of their maxima. The
square is as measured on the paper's bitmaps: grey 124, 50 px, stride 6, inside the picture, so 30 × 30 places at a 224
crop (D20); side and stride scale with the crop. More pictures are covered at fewer places for the claims about this
figure (`zfnet.visualize.occlusion_measures`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.progress import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.examples import choose, probabilities
from zfnet.visualize.net_inputs import GREY, Gallery, open_gallery, to_inputs
from zfnet.visualize.occlusion_measures import (
    Covered,
    another_map,
    energy_below,
    minima_apart,
    rank_correlation,
    without_map,
)
from zfnet.visualize.patches import tiles
from zfnet.visualize.stage_files import Origin, write_arrays
from zfnet.visualize.top_activations import Strongest, find_strongest

LAYER = "conv5"
OTHERS = 3
CHANCE = 0.7  # of the true class in the pictures that are shown
COLUMNS = ("key", "label", "map", "other", *Covered._fields)
TINY = 1e-12  # a probability of 0 has no share
SHOWN = (14, 2)  # row and column of the place at which the paper draws the square
_TOGETHER = 128


class Square(NamedTuple):
    """The occluder, pixels of the crop."""

    side: int
    stride: int

    def starts(self, crop: int) -> range:
        """First rows (and first columns) of the square."""
        return range(0, crop - self.side + 1, self.stride)


class Maps(NamedTuple):
    """What the net says at every place of the square, (h, w) each."""

    activity: Tensor  # float32, total activation of the map
    probability: Tensor  # float32, of the true class
    best: Tensor  # int64, the most probable class


def occlusion_stage(weights: Path, manifest: Path, settings: Visualize, out: Path, threads: int = 2) -> None:
    """Write occlusion.safetensors (`out`), and beside it a table (.csv) and a description with provenance (.json).

    Arrays: images uint8 (n, crop, crop, 3) with the square drawn; activity and probability float32 (n, h, w); best
    int64 (n, h, w); projections float16 (n, 4, t, t, 3), signed, peak 127; own int64 (n,), which of the four is the
    picture's. Description: images (of each key, class, label, map and the keys of the four), legend (names of the
    classes in `best`), occluder and stride in pixels. Columns of the table, which has more pictures: key, label, map,
    another map, and the numbers of `Covered`.
    """
    origin = Origin(settings, weights=weights, manifest=manifest)
    gallery = open_gallery(weights, manifest, threads)
    square = scaled(settings, gallery.net.crop)
    candidates = choose(
        gallery, max(settings.occlusion_images, settings.occlusion_measured_images), settings.seed, CHANCE
    )
    chosen = candidates[: settings.occlusion_images]
    pixels = [view.pixels[0] for index in chosen for view in gallery.views([index])]
    maps = [strongest_map(gallery.net, one) for one in pixels]
    four = the_four(gallery, chosen, maps)
    found = [
        slide(gallery.net, one, square, chosen_map, int(gallery.shards.labels[index]))
        for one, chosen_map, index in track(list(zip(pixels, maps, chosen, strict=True)), "Occlusion")
    ]
    arrays = {name: torch.stack([getattr(one, name) for one in found]).numpy() for name in Maps._fields}
    arrays["images"] = torch.stack([_drawn(one, square) for one in pixels]).numpy()
    arrays["projections"] = tiles(gallery, LAYER, maps, four).projections
    arrays["own"] = (four.images == torch.tensor(chosen)[:, None]).long().argmax(1).numpy()
    write_arrays(out, arrays)
    coarse = square._replace(stride=_at(gallery.net.crop, settings.occlusion_measured_stride))
    measured = track(candidates[: settings.occlusion_measured_images], "Covered pictures")
    rows = [_row(gallery, index, coarse, settings.seed) for index in measured]
    write_table(out.with_suffix(".csv"), COLUMNS, filter(None, rows))
    legend = {str(label): gallery.name(label) for label in np.unique(arrays["best"]).tolist()}
    pictures = _describe(gallery, chosen, maps, four)
    origin.write(out.with_suffix(".json"), images=pictures, legend=legend, occluder=square.side, stride=square.stride)


def scaled(settings: Visualize, crop: int) -> Square:
    """The square of the settings, which are for a 224 crop, at this crop."""
    return Square(_at(crop, settings.occluder_size), _at(crop, settings.occluder_stride))


def _at(crop: int, length: int) -> int:
    """A length in pixels of a 224 crop at this crop."""
    return max(1, round(length * crop / 224))


@torch.no_grad()
def strongest_map(net: Network, pixels: Tensor, layer: str = LAYER) -> int:
    """The map of a layer with the largest total activation on a picture, uint8 (crop, crop, 3)."""
    *_, last = net.walk(to_inputs(net, pixels[None]), layer)
    return int(_total(last.output)[0].argmax())


def cover(pixels: Tensor, top: int, left: int, side: int) -> Tensor:
    """Cover a square with grey: uint8 (H, W, 3) -> a covered copy. What hangs over the edge is cut off."""
    covered = pixels.clone()
    covered[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = GREY
    return covered


def slide(net: Network, pixels: Tensor, square: Square, chosen: int, label: int, layer: str = LAYER) -> Maps:
    """Cover a picture at every place and ask the net.

    Parameters
    ----------
    pixels : uint8 (crop, crop, 3).
    chosen : the map of `layer` whose activity is summed.
    label : the true class.
    layer : a name of `net.layers`.
    """
    starts = square.starts(net.crop)
    places = [(top, left) for top in starts for left in starts]
    found = []
    for begin in range(0, len(places), _TOGETHER):
        covered = [cover(pixels, *place, square.side) for place in places[begin : begin + _TOGETHER]]
        found.append(_ask(net, torch.stack(covered), chosen, label, layer))
    shape = len(starts), len(starts)
    return Maps(*(torch.cat(part).reshape(shape).cpu() for part in zip(*found, strict=True)))


@torch.no_grad()
def _ask(net: Network, pixels: Tensor, chosen: int, label: int, layer: str) -> Maps:
    """Activity, probability and most probable class of some covered pictures, (B,) each."""
    for index, step in enumerate(net.walk(to_inputs(net, pixels))):
        if index == net.layers[layer]:
            activity = _total(step.output)[:, chosen]
    chances = step.output.softmax(1)
    return Maps(activity, chances[:, label], chances.argmax(1))


def _total(output: Tensor) -> Tensor:
    """Total activation of every map, (B, C), from (B, C, H, W); units of a fully connected layer are their own."""
    return output.flatten(2).sum(2) if output.ndim == 4 else output


def _row(gallery: Gallery, index: int, square: Square, seed: int) -> tuple[Any, ...] | None:
    """One picture's row of the table; None where no other map responds."""
    (view,), net, label = gallery.views([index]), gallery.net, int(gallery.shards.labels[index])
    chosen = strongest_map(net, view.pixels[0])
    other = another_map(net, view.inputs, LAYER, chosen, (seed, index))
    if other is None:
        return None
    maps = slide(net, view.pixels[0], square, chosen, label)
    activity, probability = maps.activity.numpy(), maps.probability.numpy()
    energies = (energy_below(net, view.inputs, LAYER, one, *square) for one in (chosen, other))
    whole = max(float(probabilities(net, view.inputs)[0, label]), TINY)
    found = Covered(
        *(rank_correlation(energy, -activity) for energy in energies),
        rank_correlation(activity, probability),
        minima_apart(activity, probability, *square),
        1 - float(probability.min()) / whole,
        float(without_map(net, view.inputs, LAYER, chosen)[0, label]) / whole,
    )
    return (gallery.shards.keys[index], label, chosen, other, *found)


def the_four(gallery: Gallery, chosen: Sequence[int], maps: Sequence[int]) -> Strongest:
    """Of each picture's map: its maximum in this picture and in the three others with the largest, in order.

    A data set of fewer than four pictures has fewer others to show.
    """
    net = gallery.net
    single = [
        find_strongest(net, gallery.views([index]), {LAYER: [one]}, 1)[LAYER]
        for index, one in zip(chosen, maps, strict=True)
    ]
    own = Strongest(*(torch.cat(part) for part in zip(*single, strict=True)))
    views = track(gallery.views(), "Strongest others, batches", -(-len(gallery) // gallery.batch))
    best = find_strongest(net, views, {LAYER: maps}, OTHERS + 1)[LAYER]
    others = _ordered(best, best.values.masked_fill(best.images == own.images, -torch.inf))
    count = min(OTHERS, best.images.shape[1] - 1)  # in a small set the picture itself is among the best, and last
    joined = Strongest(*(torch.cat([mine, other[:, :count]], 1) for mine, other in zip(own, others, strict=True)))
    return _ordered(joined, joined.values)


def _ordered(found: Strongest, values: Tensor) -> Strongest:
    order = values.argsort(dim=1, descending=True, stable=True)
    return Strongest(*(part.gather(1, order) for part in found))


def _drawn(pixels: Tensor, square: Square) -> Tensor:
    """The picture with the square where the paper draws it, or the nearest place."""
    starts = square.starts(len(pixels))
    row, column = (starts[min(place, len(starts) - 1)] for place in SHOWN)
    return cover(pixels, row, column, square.side)


def _describe(gallery: Gallery, chosen: Sequence[int], maps: Sequence[int], four: Strongest) -> list[dict[str, Any]]:
    keys, labels = gallery.shards.keys, gallery.shards.labels.tolist()
    return [
        {
            "key": keys[index],
            "class": gallery.name(labels[index]),
            "label": labels[index],
            "map": one,
            "projections": [keys[image] for image in images],
        }
        for index, one, images in zip(chosen, maps, four.images.tolist(), strict=True)
    ]
