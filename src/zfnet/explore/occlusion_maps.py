"""`zfnet occlude`: response of a unit and of the classes to images covered by a grey square (Figure 7)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.progress_bar import track
from zfnet.explore.choices import require_scores
from zfnet.explore.opened_net import OpenedNet
from zfnet.explore.outputs import (
    Panel,
    Row,
    class_name,
    left_out,
    name_sheet,
    print_classes,
    unit_name,
    write_results,
    write_sheet,
)
from zfnet.settings import Visualize
from zfnet.visualize.examples import probabilities
from zfnet.visualize.net_inputs import InputBatch, InputLoader
from zfnet.visualize.occlusion import OcclusionMaps, Square, cover, scaled, slide, strongest_map

COLUMNS = ("file", "layer", "unit", "class", "top", "left", "side", "activity", "probability", "best", "sheet")
BATCH_SIZE = 32  # positions of the square computed at a time
PALE = 0.35  # contrast of the image around a map
MAX_COLOURS = 6  # classes with a colour of their own
COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#dddddd")


def occlude_images(
    opened: OpenedNet,
    loader: InputLoader,
    layer: str,
    units: Sequence[int],
    label: int | None,
    square: Square,
    out: Path,
) -> None:
    """Write a sheet for every image, occlude.csv (a line for every position of the square) and occlude.json.

    Parameters
    ----------
    units : units of the layer; empty: for each image the one with the largest total activation.
    label : the class whose probability is mapped; None: the most probable one of the uncovered image.
    square : side and stride of the square, pixels of the crop.

    Raises
    ------
    ZfnetError
        There is no such class, or the square is larger than the crop.
    """
    net = opened.net
    require_scores(net)
    if not 0 < square.side <= net.crop or square.stride < 1:
        raise ZfnetError(
            f"A square of {square.side} px, stride {square.stride}, does not fit the crop of {net.crop} px."
        )
    lines: list[tuple[Any, ...]] = []
    taken: set[str] = set()
    for batch in replace(loader, batch_size=1).batches():
        key = loader.shards.keys[int(batch.indices[0])]
        print_classes(opened, key, batch.inputs)
        sheet, rows = name_sheet("occlude", key, taken), []
        for unit in units or [strongest_map(net, batch.pixels[0], layer)]:
            followed = int(probabilities(net, batch.inputs)[0].argmax()) if label is None else label
            places = partial(track, description=f"{key}, unit {unit}: places", total=len(square.starts(net.crop)) ** 2)
            maps = slide(net, batch.pixels[0], square, unit, followed, layer, places, BATCH_SIZE)
            rows.append(_row(opened, batch, layer, unit, followed, square, maps))
            lines += [(key, layer, unit, followed, *line, sheet) for line in _lines(maps, square, net.crop)]
        write_sheet(out / sheet, f"{key}: a grey square of {square.side} px, stride {square.stride}", rows)
    write_results(out, "occlude", opened, COLUMNS, lines, images=len(taken), left_out=left_out(loader.shards))


def scaled_square(crop: int, side: int | None, stride: int | None) -> Square:
    """Return the paper's square (50 px, stride 6 at a 224 crop) at this crop, with `side` or `stride` replaced."""
    changes = {"side": side, "stride": stride}
    return scaled(Visualize(), crop)._replace(**{name: value for name, value in changes.items() if value is not None})


def _lines(maps: OcclusionMaps, square: Square, crop: int) -> Iterator[tuple[Any, ...]]:
    starts = square.starts(crop)
    for row, top in enumerate(starts):
        for column, left in enumerate(starts):
            values = (part[row, column].item() for part in maps)
            yield top, left, square.side, *values


def _row(
    opened: OpenedNet, batch: InputBatch, layer: str, unit: int, label: int, square: Square, maps: OcclusionMaps
) -> Row:
    last = max(opened.net.layers, key=opened.net.layers.__getitem__)
    image = cover(batch.pixels[0], 0, 0, square.side).numpy()
    panels = [
        Panel(image, "image, with the square at its first position"),
        Panel(_over(image, square, _heat(maps.activity)), f"activity: blue {_range(maps.activity)} red"),
        Panel(_over(image, square, _heat(maps.probability)), f"probability: blue {_range(maps.probability)} red"),
        _classes(opened, maps.best, image, square),
    ]
    return Row(f"{layer}, {unit_name(opened, layer, unit)}; probability of {unit_name(opened, last, label)}", panels)


def _range(values: Tensor) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"


def _heat(values: Tensor) -> np.ndarray:
    """Colour a map (h, w) from dark blue (smallest value) to dark red (largest): uint8 (h, w, 3)."""
    low, high = values.min(), values.max()
    return matplotlib.colormaps["turbo"](((values - low) / (high - low).clamp(min=1e-12)).numpy(), bytes=True)[..., :3]


def _over(image: np.ndarray, square: Square, colours: np.ndarray) -> np.ndarray:
    """Place a map (h, w, 3) over the image, pale: each value where the middle of the square was, a stride wide.

    Near the edges, where the middle of the square never was, the image shows.
    """
    middle = (np.arange(len(image)) + 0.5 - square.side / 2) / square.stride  # of each pixel, in positions
    places = np.round(middle).astype(int)
    inside = (places >= 0) & (places < len(colours))
    over = (255 - (255 - image.astype(float)) * PALE).round().astype(np.uint8)
    over[np.ix_(inside, inside)] = colours[np.ix_(places[inside], places[inside])]
    return over


def _classes(opened: OpenedNet, best: Tensor, image: np.ndarray, square: Square) -> Panel:
    """Colour the most probable class at each position; all but the most frequent classes are light grey."""
    labels, counts = np.unique(best.numpy(), return_counts=True)
    shown = labels[np.argsort(-counts, kind="stable")][:MAX_COLOURS]
    index = np.full(best.shape, MAX_COLOURS)  # (h, w), index into COLOURS
    for colour, label in enumerate(shown):
        index[best.numpy() == label] = colour
    colours = (255 * np.array([matplotlib.colors.to_rgb(colour) for colour in COLOURS])).round().astype(np.uint8)
    names = [f"{label} {class_name(opened, label)}" if opened.classes else f"class {label}" for label in shown]
    legend = dict(zip(names, COLOURS, strict=False)) | (
        {"others": COLOURS[MAX_COLOURS]} if len(labels) > MAX_COLOURS else {}
    )
    return Panel(_over(image, square, colours[index]), "most probable class", legend=legend)
