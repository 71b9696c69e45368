"""Grey thumbnails whose inner products are normalised correlations, and the ways to compare two images (D29)."""

import math
from collections.abc import Iterable

import simplejpeg
import torch
import torch.nn.functional as F
from torch import Tensor

from zfnet.data.loader import Shards

VIEWS = 2  # of a transfer image: whole, and its centre square
CUTS = (0.0, 0.02, 0.04)  # fractions cropped off each side
FLAT = 2.0  # standard deviation, grey levels, below which a thumbnail matches nothing


def grey(images: Tensor) -> Tensor:
    """Return the luminance, float32 (B, H, W) 0..255, of uint8 (B, H, W, 3)."""
    return images.float() @ images.new_tensor([0.299, 0.587, 0.114], dtype=torch.float32)


def thumbnails(greys: Tensor, size: int, cut: float = 0.0) -> Tensor:
    """Shrink images to vectors whose inner products are normalised correlations.

    Parameters
    ----------
    greys : float (B, H, W), 0..255
        Each image is squashed into the square thumbnail.
    size
        Side of the thumbnails, pixels.
    cut
        Fraction of the height and width that is cropped off each side first.

    Returns
    -------
    float32 (B, size²), zero mean, unit norm; all 0 for a flat image.
    """
    top, left = round(greys.shape[1] * cut), round(greys.shape[2] * cut)
    greys = greys[:, top : greys.shape[1] - top, left : greys.shape[2] - left]
    small = F.interpolate(greys[:, None], (size, size), mode="bilinear", antialias=True).flatten(1)  # (B, size²)
    small = small - small.mean(1, keepdim=True)
    norm = small.norm(dim=1, keepdim=True)
    return small / norm.clamp_min(1e-6) * (norm > FLAT * size)


def query_thumbnails(image: Tensor, size: int) -> Tensor:
    """Return thumbnails, (VIEWS, len(CUTS), size²), of a grey image (H, W) and of its centre square."""
    height, width = image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return torch.stack([torch.cat([thumbnails(view[None], size, cut) for cut in CUTS]) for view in (image, square)])


def correlate(queries: Tensor, train: Tensor) -> Tensor:
    """Return the largest absolute correlation, (N, B), over views, crops and mirroring.

    Parameters
    ----------
    queries : (N, VIEWS, len(CUTS), d);  train : (len(CUTS), B, d)
    """
    comparisons = products(queries, train) + products(queries, mirrored(train))  # 4 of (N, comparisons, B)
    return torch.stack([values.abs().amax(1) for values in comparisons]).amax(0)


def correlate_pairs(queries: Tensor, train: Tensor) -> Tensor:
    """Return `correlate` for pairs, (M,): `queries` (M, VIEWS, len(CUTS), d), `train` (len(CUTS), M, d)."""
    both = torch.stack([train, mirrored(train)], -1)  # (len(CUTS), M, d, 2)
    query_cuts = (queries.flatten(1, 2) @ both[0]).abs().amax((1, 2))
    train_cuts = (queries[:, :, 0] @ both[1:].permute(1, 2, 0, 3).flatten(2)).abs().amax((1, 2))
    return torch.maximum(query_cuts, train_cuts)


def products(queries: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """Correlate cropped and whole images with whole training images, and whole images with cropped training images.

    Parameters
    ----------
    queries : (N, VIEWS, len(CUTS), d);  train : (len(CUTS), B, d)

    Returns
    -------
    (N, VIEWS * len(CUTS), B) and (N, VIEWS * (len(CUTS) - 1), B)
    """
    train_cuts = queries[:, :, 0] @ train[1:].flatten(0, 1).T  # (N, VIEWS, (len(CUTS) - 1) * B)
    return queries.flatten(1, 2) @ train[0].T, train_cuts.unflatten(2, (len(CUTS) - 1, -1)).flatten(1, 2)


def mirrored(thumbnails: Tensor) -> Tensor:
    """Flip thumbnails (..., size²) left to right."""
    size = math.isqrt(thumbnails.shape[-1])
    return thumbnails.unflatten(-1, (size, size)).flip(-1).flatten(-2)


def whole_grey(shards: Shards, number: int) -> Tensor:
    """Return the luminance, float32 (H, W) 0..255, of a whole image."""
    return torch.from_numpy(simplejpeg.decode_jpeg(shards.jpeg(number), "GRAY")[:, :, 0]).float()


def stack_as_they_come(views: Iterable[Tensor], count: int, device: torch.device | None = None) -> Tensor:
    """Return the views of `count` images (at least one) in one tensor, (count, VIEWS, len(CUTS), d).

    Unlike `torch.stack` of a list, it never holds them twice. The tensor is on `device`, by default that of the first.
    """
    views = iter(views)
    first = next(views)
    stacked = first.new_empty((count, *first.shape), device=device)
    stacked[0] = first
    for number, view in enumerate(views, 1):
        stacked[number] = view
    return stacked
