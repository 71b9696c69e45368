"""Occlusion (Figure 7): the response of the net to an image covered by a grey square, at every position of the square.

(b) is the total activation of the layer-5 map whose total was largest on the uncovered image; (d) is the probability of
the true class; (e) is the most probable class. (c) is that map's projection for this image and for the three others
with the largest maximum of the map, in descending order. The square is as measured on the paper's bitmaps: grey 124,
50 px, stride 6, inside the image, so 30 × 30 positions at a 224 crop (D20); side and stride scale with the crop. The
claims about this figure use more images and fewer positions (`zfnet.visualize.occlusion_measures`).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.progress_bar import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.examples import choose_examples, probabilities
from zfnet.visualize.net_inputs import GREY, InputLoader, open_loader, to_inputs
from zfnet.visualize.occlusion_measures import (
    OcclusionMeasures,
    another_map,
    energy_below,
    minima_apart,
    rank_correlation,
    without_map,
)
from zfnet.visualize.patches import tiles
from zfnet.visualize.stage_files import StageProvenance, write_arrays
from zfnet.visualize.top_activations import TopActivations, find_strongest

LAYER = "conv5"
OTHERS = 3
TARGET_PROBABILITY = 0.7  # of the true class in the images that are shown
COLUMNS = ("key", "label", "map", "other", *OcclusionMeasures._fields)
TINY = 1e-12  # avoids a division by 0
SHOWN = (14, 2)  # row and column of the position at which the paper draws the square
_BATCH_SIZE = 128


class Square(NamedTuple):
    """The occluder, pixels of the crop."""

    side: int
    stride: int

    def starts(self, crop: int) -> range:
        """Return the first rows (and first columns) of the square."""
        return range(0, crop - self.side + 1, self.stride)


class OcclusionMaps(NamedTuple):
    """The response of the net at every position of the square, (h, w) each."""

    activity: Tensor  # float32, total activation of the map
    probability: Tensor  # float32, of the true class
    best: Tensor  # int64, the most probable class


def occlusion_stage(weights: Path, manifest: Path, settings: Visualize, out: Path, threads: int = 2) -> None:
    """Write occlusion.safetensors (`out`), and beside it a table (.csv) and a description with provenance (.json).

    Arrays: images uint8 (n, crop, crop, 3) with the square drawn; activity and probability float32 (n, h, w); best
    int64 (n, h, w); projections float16 (n, 4, t, t, 3), signed, peak 127; own int64 (n,), which of the four is that of
    the image itself. Description: images (for each key, class, label, map and the keys of the four), legend (names of
    the classes in `best`), occluder and stride in pixels. Columns of the table, which covers more images: key, label,
    map, another map, and the fields of `OcclusionMeasures`.
    """
    provenance = StageProvenance(settings, weights=weights, manifest=manifest)
    loader = open_loader(weights, manifest, threads)
    square = scaled(settings, loader.net.crop)
    count = max(settings.occlusion_images, settings.occlusion_measured_images)
    candidates = choose_examples(loader, count, settings.seed, TARGET_PROBABILITY)
    chosen = candidates[: settings.occlusion_images]
    pixels = [batch.pixels[0] for index in chosen for batch in loader.batches([index])]
    maps = [strongest_map(loader.net, image) for image in pixels]
    four = top_four(loader, chosen, maps)
    occluded = [
        slide(loader.net, image, square, chosen_map, int(loader.shards.labels[index]))
        for image, chosen_map, index in track(list(zip(pixels, maps, chosen, strict=True)), "Occlusion")
    ]
    arrays = {name: torch.stack([getattr(one, name) for one in occluded]).numpy() for name in OcclusionMaps._fields}
    arrays["images"] = torch.stack([_with_square(image, square) for image in pixels]).numpy()
    arrays["projections"] = tiles(loader, LAYER, maps, four).projections
    arrays["own"] = (four.images == torch.tensor(chosen)[:, None]).long().argmax(1).numpy()
    write_arrays(out, arrays)
    coarse = square._replace(stride=_at_crop(loader.net.crop, settings.occlusion_measured_stride))
    measured = track(candidates[: settings.occlusion_measured_images], "Occlusion measures")
    rows = [_row(loader, index, coarse, settings.seed) for index in measured]
    write_table(out.with_suffix(".csv"), COLUMNS, filter(None, rows))
    legend = {str(label): loader.class_name(label) for label in np.unique(arrays["best"]).tolist()}
    images = _describe(loader, chosen, maps, four)
    provenance.write(out.with_suffix(".json"), images=images, legend=legend, occluder=square.side, stride=square.stride)


def scaled(settings: Visualize, crop: int) -> Square:
    """Scale the square of the settings, which are for a 224 crop, to this crop."""
    return Square(_at_crop(crop, settings.occluder_size), _at_crop(crop, settings.occluder_stride))


def _at_crop(crop: int, length: int) -> int:
    """Scale a length in pixels of a 224 crop to this crop."""
    return max(1, round(length * crop / 224))


@torch.no_grad()
def strongest_map(net: Network, pixels: Tensor, layer: str = LAYER) -> int:
    """Return the map of a layer with the largest total activation on an image, uint8 (crop, crop, 3)."""
    *_, last = net.iter_forward(to_inputs(net, pixels[None]), layer)
    return int(_total(last.output)[0].argmax())


def cover(pixels: Tensor, top: int, left: int, side: int) -> Tensor:
    """Copy an image, uint8 (H, W, 3), and cover a square with grey; the part beyond the edge is ignored."""
    covered = pixels.clone()
    covered[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = GREY
    return covered


def slide(
    net: Network,
    pixels: Tensor,
    square: Square,
    chosen: int,
    label: int,
    layer: str = LAYER,
    watch: Callable[[list[tuple[int, int]]], Iterable[tuple[int, int]]] = iter,
    batch_size: int = _BATCH_SIZE,
) -> OcclusionMaps:
    """Run the net on an image covered at every position of the square.

    Parameters
    ----------
    pixels : uint8 (crop, crop, 3).
    chosen : the map of `layer` whose activity is summed.
    label : the true class.
    layer : a name in `net.layers`.
    watch : passes on the positions, to report progress.
    batch_size : positions computed at a time.
    """
    starts = square.starts(net.crop)
    positions = iter(watch([(top, left) for top in starts for left in starts]))
    parts = []
    while corners := list(islice(positions, batch_size)):
        covered = [cover(pixels, *corner, square.side) for corner in corners]
        parts.append(_forward_covered(net, torch.stack(covered), chosen, label, layer))
    shape = len(starts), len(starts)
    return OcclusionMaps(*(torch.cat(part).reshape(shape).cpu() for part in zip(*parts, strict=True)))


@torch.no_grad()
def _forward_covered(net: Network, pixels: Tensor, chosen: int, label: int, layer: str) -> OcclusionMaps:
    """Return activity, probability and most probable class of a minibatch of covered images, (B,) each."""
    for index, record in enumerate(net.iter_forward(to_inputs(net, pixels))):
        if index == net.layers[layer]:
            activity = _total(record.output)[:, chosen]
    predicted = record.output.softmax(1)
    return OcclusionMaps(activity, predicted[:, label], predicted.argmax(1))


def _total(output: Tensor) -> Tensor:
    """Sum every map: (B, C, H, W) -> (B, C); the units of a fully connected layer, (B, C), stay as they are."""
    return output.flatten(2).sum(2) if output.ndim == 4 else output


def _row(loader: InputLoader, index: int, square: Square, seed: int) -> tuple[Any, ...] | None:
    """Compute an image's row of the table; None if no other map responds."""
    (batch,), net, label = loader.batches([index]), loader.net, int(loader.shards.labels[index])
    chosen = strongest_map(net, batch.pixels[0])
    other = another_map(net, batch.inputs, LAYER, chosen, (seed, index))
    if other is None:
        return None
    maps = slide(net, batch.pixels[0], square, chosen, label)
    activity, probability = maps.activity.numpy(), maps.probability.numpy()
    own_energy, other_energy = (energy_below(net, batch.inputs, LAYER, unit, *square) for unit in (chosen, other))
    uncovered = max(float(probabilities(net, batch.inputs)[0, label]), TINY)
    measures = OcclusionMeasures(
        rank_correlation(own_energy, -activity),
        rank_correlation(other_energy, -activity),
        rank_correlation(activity, probability),
        minima_apart(activity, probability, *square),
        1 - float(probability.min()) / uncovered,
        float(without_map(net, batch.inputs, LAYER, chosen)[0, label]) / uncovered,
    )
    return (loader.shards.keys[index], label, chosen, other, *measures)


def top_four(loader: InputLoader, chosen: Sequence[int], maps: Sequence[int]) -> TopActivations:
    """Return each image's map at its maximum in this image and in the three others where it is largest, in order.

    In a data set of fewer than four images there are fewer others.
    """
    net = loader.net
    single = [
        find_strongest(net, loader.batches([index]), {LAYER: [chosen_map]}, 1)[LAYER]
        for index, chosen_map in zip(chosen, maps, strict=True)
    ]
    own = TopActivations(*(torch.cat(part) for part in zip(*single, strict=True)))  # (n, 1) each
    batches = track(loader.batches(), "Top images of the maps, minibatches", -(-len(loader) // loader.batch_size))
    best = find_strongest(net, batches, {LAYER: maps}, OTHERS + 1)[LAYER]
    others = _sorted_by(best, best.values.masked_fill(best.images == own.images, -torch.inf))
    count = min(OTHERS, best.images.shape[1] - 1)  # in a small set the image itself is among the best, now the last
    joined = TopActivations(*(torch.cat([mine, other[:, :count]], 1) for mine, other in zip(own, others, strict=True)))
    return _sorted_by(joined, joined.values)


def _sorted_by(top: TopActivations, values: Tensor) -> TopActivations:
    order = values.argsort(dim=1, descending=True, stable=True)
    return TopActivations(*(part.gather(1, order) for part in top))


def _with_square(pixels: Tensor, square: Square) -> Tensor:
    """Draw the square where the paper draws it, or at the nearest position."""
    starts = square.starts(len(pixels))
    row, column = (starts[min(place, len(starts) - 1)] for place in SHOWN)
    return cover(pixels, row, column, square.side)


def _describe(
    loader: InputLoader, chosen: Sequence[int], maps: Sequence[int], four: TopActivations
) -> list[dict[str, Any]]:
    keys, labels = loader.shards.keys, loader.shards.labels.tolist()
    return [
        {
            "key": keys[index],
            "class": loader.class_name(labels[index]),
            "label": labels[index],
            "map": chosen_map,
            "projections": [keys[image] for image in images],
        }
        for index, chosen_map, images in zip(chosen, maps, four.images.tolist(), strict=True)
    ]
