"""What a threshold of the search for near-duplicates finds and misses, measured on the data themselves (D29).

Copies of some of the transfer pictures are made in known ways, shrunk to 84 pixels and coded as JPEG of quality 75, and
compared with their originals as the search does. Most are squashed into a square; one kind keeps its proportions and
then goes the way of every picture of ImageNet, which is the shorter side to the shards' size, and the centre square of
that. The share found, by threshold, is the recall; beside it stands, by the same thresholds, the share of all pictures
that find a training picture, which is what a lower threshold would add.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from torch import Tensor

from zfnet.data.loader import Shards
from zfnet.data.resize import centre_square, short_side
from zfnet.transfer.duplicates.thumbnails import CUTS, correlate, query_thumbnails, thumbnails, whole_grey

SAMPLE = 100  # pictures of each set that are copied
SIDE, QUALITY = 84, 75  # of the copies
CURVE_COLUMNS = ["threshold", "of", "name", "share", "pictures"]


def cropped(share: float) -> Callable[[Tensor], Tensor]:
    """Return a function that cuts a share of height and width off each side of a picture (H, W)."""

    def cut(image: Tensor) -> Tensor:
        top, left = (round(length * share) for length in image.shape)
        return image[top : len(image) - top, left : image.shape[1] - left]

    return cut


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {  # of copies that are squashed
    "resized": lambda image: image,
    "brighter": lambda image: image * 1.1,
    "darker": lambda image: image * 0.9,
    "negative": lambda image: 255 - image,
    "mirrored": lambda image: image.flip(1),
    "cropped by 2 %": cropped(0.02),
    "cropped by 4 %": cropped(0.04),
    "cropped by 8 %": cropped(0.08),
    "negative, mirrored, cropped by 4 %": lambda image: cropped(0.04)(255 - image.flip(1)),
}
IN_SHARDS = "resized, centre square"  # of copies that keep their proportions, as nearly all that are in ImageNet do


def recalls(sets: dict[str, Shards], size: int, side: int) -> dict[str, np.ndarray]:
    """Compare copies of pictures, drawn evenly from all sets, with their originals.

    Parameters
    ----------
    size
        Side of the thumbnails, pixels.
    side
        Side of the training set's squares, pixels.

    Returns
    -------
    Correlations (M,) by what was done to the copies.
    """
    images = [
        whole_grey(shards, number)
        for shards in sets.values()
        for number in np.linspace(0, len(shards) - 1, min(SAMPLE, len(shards))).astype(int).tolist()
    ]
    queries = [query_thumbnails(image, size) for image in images]
    copies = {change: [squashed(make(image)) for image in images] for change, make in CHANGES.items()}
    copies[IN_SHARDS] = [in_shards(image, side) for image in images]
    return {
        change: np.array([_match(query, copy, size) for query, copy in zip(queries, made, strict=True)])
        for change, made in copies.items()
    }


def squashed(image: Tensor) -> Tensor:
    """Return a copy, 0..255 (SIDE, SIDE), of a grey picture (H, W)."""
    small = F.interpolate(image[None, None], (SIDE, SIDE), mode="bilinear", antialias=True)[0, 0]
    return _grey(_coded(_pixels(small)))


def in_shards(image: Tensor, side: int) -> Tensor:
    """Return what the shards of a training set (`zfnet.data.shards.writer`) would hold of a copy, 0..255 (side, side)."""
    copy = _coded(short_side(_pixels(image), SIDE))
    return _grey(_coded(centre_square(short_side(copy, side), side)))


def curve(recall: dict[str, np.ndarray], summary: dict[str, Any]) -> list[dict[str, Any]]:
    """List recall of copies and share of pictures found, by threshold."""
    rows = []
    for name, points in summary["curve"].items():
        pictures = summary["counts"][name]["images"]
        rows += [
            _row(value, "pictures with a match", name, found / max(pictures, 1), pictures) for value, found in points
        ]
    thresholds = [value for value, _ in next(iter(summary["curve"].values()))]
    for change, found in recall.items():
        rows += [_row(value, "copies found", change, share(found, value), len(found)) for value in thresholds]
    return rows


def share(correlations: np.ndarray, threshold: float) -> float:
    """Return the share of correlations that reach a threshold."""
    return round(float((correlations >= threshold).mean()), 4)


def _row(threshold: float, of: str, name: str, value: float, pictures: int) -> dict[str, Any]:
    return dict(zip(CURVE_COLUMNS, (threshold, of, name, round(value, 4), pictures), strict=True))


def _match(query: Tensor, copy: Tensor, size: int) -> float:
    """Return the correlation of a picture, by its thumbnails, with a copy (H, W)."""
    block = torch.stack([thumbnails(copy[None], size, cut) for cut in CUTS])
    return correlate(query[None], block).item()


def _coded(pixels: np.ndarray) -> np.ndarray:
    """Return what JPEG leaves of uint8 (H, W, 1)."""
    contiguous = np.ascontiguousarray(pixels)
    return simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(contiguous, QUALITY, colorspace="GRAY"), "GRAY")


def _pixels(image: Tensor) -> np.ndarray:
    return image.clamp(0, 255).byte().numpy()[:, :, None]


def _grey(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels[:, :, 0]).float()
