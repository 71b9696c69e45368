"""What a threshold of the search for near-duplicates finds and misses, measured on the data themselves (D29).

Copies of some of the transfer pictures are made in known ways, squashed to 84 × 84 and coded as JPEG of quality 75, and
compared with their originals as the search does. The share found, by threshold, is the recall; beside it stands, by the
same thresholds, the share of all pictures that find a training picture, which is what a lower threshold would add.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from torch import Tensor

from zfnet.data.loader import Shards
from zfnet.transfer.thumbnails import CUTS, correlate, query_thumbnails, thumbnails, whole_grey

SAMPLE = 100  # pictures of each set that are copied
SIDE, QUALITY = 84, 75  # of the copies
CURVE_COLUMNS = ["threshold", "of", "name", "share", "pictures"]


def cropped(share: float) -> Callable[[Tensor], Tensor]:
    """Return a function that cuts a share of height and width off each side of a picture (H, W)."""

    def cut(image: Tensor) -> Tensor:
        top, left = (round(length * share) for length in image.shape)
        return image[top : len(image) - top, left : image.shape[1] - left]

    return cut


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
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


def recalls(sets: dict[str, Shards], size: int) -> dict[str, np.ndarray]:
    """Return, by change, the correlations (M,) of copies with their originals, drawn evenly from all sets."""
    images = [
        whole_grey(shards, number)
        for shards in sets.values()
        for number in np.linspace(0, len(shards) - 1, min(SAMPLE, len(shards))).astype(int).tolist()
    ]
    queries = [query_thumbnails(image, size) for image in images]
    return {
        change: np.array([_match(query, make(image), size) for query, image in zip(queries, images, strict=True)])
        for change, make in CHANGES.items()
    }


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
    """Return the correlation of a picture with its copy, after that was squashed and coded."""
    small = F.interpolate(copy[None, None], (SIDE, SIDE), mode="bilinear", antialias=True)[0, 0]
    pixels = small.clamp(0, 255).byte().numpy()[:, :, None]
    coded = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(pixels, QUALITY, colorspace="GRAY"), "GRAY")[:, :, 0]
    block = torch.stack([thumbnails(torch.from_numpy(coded).float()[None], size, cut) for cut in CUTS])
    return correlate(query[None], block).item()
