"""Measure which copies a threshold of the near-duplicate search finds and misses, on the data themselves (D29).

Some of the transfer images are copied in known ways, shrunk to 84 pixels, coded as JPEG of quality 75, and compared
with their originals as in the search. Most copies are squashed into a square. One kind keeps its proportions and is
then treated like every image of ImageNet: its shorter side is resized to the shards' size, and the centre square is cut
out. The fraction of copies found, by threshold, is the recall. For comparison, at the same thresholds, stands the
fraction of all transfer images that match a training image, which shows what a lower threshold would add.
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

SAMPLE = 100  # images of each set that are copied
SIDE, QUALITY = 84, 75  # of the copies
CURVE_COLUMNS = ["threshold", "of", "name", "fraction", "images"]


def cropped(fraction: float) -> Callable[[Tensor], Tensor]:
    """Return a function that crops a fraction of the height and width off each side of an image (H, W)."""

    def cut(image: Tensor) -> Tensor:
        top, left = (round(length * fraction) for length in image.shape)
        return image[top : len(image) - top, left : image.shape[1] - left]

    return cut


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {  # copies that are squashed into a square
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
IN_SHARDS = "resized, centre square"  # copies that keep their proportions, as nearly all in ImageNet


def recalls(sets: dict[str, Shards], size: int, side: int) -> dict[str, np.ndarray]:
    """Compare copies of images, taken evenly from all sets, with their originals.

    Parameters
    ----------
    size
        Side of the thumbnails, pixels.
    side
        Side of the training set's squares, pixels.

    Returns
    -------
    dict
        Change made to the copies -> correlations, float (M,).
    """
    images = [
        whole_grey(shards, number)
        for shards in sets.values()
        for number in np.linspace(0, len(shards) - 1, min(SAMPLE, len(shards))).astype(int).tolist()
    ]
    queries = [query_thumbnails(image, size) for image in images]
    copies = {name: [squashed(change(image)) for image in images] for name, change in CHANGES.items()}
    copies[IN_SHARDS] = [in_shards(image, side) for image in images]
    return {
        name: np.array([_match(query, copy, size) for query, copy in zip(queries, images, strict=True)])
        for name, images in copies.items()
    }


def squashed(image: Tensor) -> Tensor:
    """Return a square JPEG copy, 0..255 (SIDE, SIDE), of a grey image (H, W)."""
    small = F.interpolate(image[None, None], (SIDE, SIDE), mode="bilinear", antialias=True)[0, 0]
    return _grey(_jpeg_roundtrip(_pixels(small)))


def in_shards(image: Tensor, side: int) -> Tensor:
    """Return a small copy as the shards of a training set would store it (`zfnet.data.shards`), 0..255 (side, side)."""
    copy = _jpeg_roundtrip(short_side(_pixels(image), SIDE))
    return _grey(_jpeg_roundtrip(centre_square(short_side(copy, side), side)))


def curve(recall: dict[str, np.ndarray], summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows with the recall of the copies and the fraction of images that match, for each threshold."""
    rows = []
    for name, points in summary["curve"].items():
        images = summary["counts"][name]["images"]
        rows += [_row(value, "images with a match", name, count / max(images, 1), images) for value, count in points]
    thresholds = [value for value, _ in next(iter(summary["curve"].values()))]
    for change, values in recall.items():
        rows += [
            _row(value, "copies found", change, fraction_above(values, value), len(values)) for value in thresholds
        ]
    return rows


def fraction_above(correlations: np.ndarray, threshold: float) -> float:
    """Return the fraction of correlations that reach a threshold, rounded to four digits."""
    return round(float((correlations >= threshold).mean()), 4)


def _row(threshold: float, of: str, name: str, value: float, images: int) -> dict[str, Any]:
    return dict(zip(CURVE_COLUMNS, (threshold, of, name, round(value, 4), images), strict=True))


def _match(query: Tensor, copy: Tensor, size: int) -> float:
    """Return the correlation of an image, given by its thumbnails (VIEWS, len(CUTS), d), with a copy (H, W)."""
    block = torch.stack([thumbnails(copy[None], size, cut) for cut in CUTS])
    return correlate(query[None], block).item()


def _jpeg_roundtrip(pixels: np.ndarray) -> np.ndarray:
    """Encode uint8 (H, W, 1) as JPEG and decode it again."""
    contiguous = np.ascontiguousarray(pixels)
    return simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(contiguous, QUALITY, colorspace="GRAY"), "GRAY")


def _pixels(image: Tensor) -> np.ndarray:
    return image.clamp(0, 255).byte().numpy()[:, :, None]


def _grey(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels[:, :, 0]).float()
