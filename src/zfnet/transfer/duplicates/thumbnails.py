"""Grey thumbnails whose products are normalised correlations, and the ways in which two pictures are compared (D29)."""

import math
from collections.abc import Iterable

import simplejpeg
import torch
import torch.nn.functional as F
from torch import Tensor

from zfnet.data.loader import Shards

VIEWS = 2  # of a picture looked for
CUTS = (0.0, 0.02, 0.04)  # of each side
FLAT = 2.0  # a thumbnail that varies less, in grey levels, resembles nothing


def grey(images: Tensor) -> Tensor:
    """Return the luminance, float32 (B, H, W) 0..255, of uint8 (B, H, W, 3)."""
    return images.float() @ images.new_tensor([0.299, 0.587, 0.114], dtype=torch.float32)


def thumbnails(greys: Tensor, size: int, cut: float = 0.0) -> Tensor:
    """Shrink pictures to vectors whose products are normalised correlations.

    Parameters
    ----------
    greys : float (B, H, W), 0..255
        The whole of each picture is squashed into the thumbnail.
    size
        Side of the thumbnails, pixels.
    cut
        Share of the height and the width that is cut off each side before.

    Returns
    -------
    float32 (B, size²), zero mean, unit norm; zeros where a picture is flat.
    """
    top, left = round(greys.shape[1] * cut), round(greys.shape[2] * cut)
    greys = greys[:, top : greys.shape[1] - top, left : greys.shape[2] - left]
    small = F.interpolate(greys[:, None], (size, size), mode="bilinear", antialias=True).flatten(1)
    small = small - small.mean(1, keepdim=True)
    norm = small.norm(dim=1, keepdim=True)
    return small / norm.clamp_min(1e-6) * (norm > FLAT * size)


def query_thumbnails(image: Tensor, size: int) -> Tensor:
    """Return thumbnails, (VIEWS, len(CUTS), size²), of a grey picture (H, W) and of its centre square."""
    height, width = image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return torch.stack([torch.cat([thumbnails(view[None], size, cut) for cut in CUTS]) for view in (image, square)])


def correlate(queries: Tensor, train: Tensor) -> Tensor:
    """Return the largest absolute correlation, (N, B), over the ways of cutting, as it is and in the mirror.

    Parameters
    ----------
    queries : (N, VIEWS, len(CUTS), d);  train : (len(CUTS), B, d)
    """
    ways = products(queries, train) + products(queries, mirrored(train))
    return torch.stack([way.abs().amax(1) for way in ways]).amax(0)


def correlate_pairs(queries: Tensor, train: Tensor) -> Tensor:
    """Return what `correlate` does of the pairs (M,) of `queries` (M, VIEWS, len(CUTS), d) and `train` (., M, d)."""
    both = torch.stack([train, mirrored(train)], -1)  # (len(CUTS), M, d, 2)
    ours = (queries.flatten(1, 2) @ both[0]).abs().amax((1, 2))
    theirs = (queries[:, :, 0] @ both[1:].permute(1, 2, 0, 3).flatten(2)).abs().amax((1, 2))
    return torch.maximum(ours, theirs)


def products(queries: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply all cuts of the pictures with whole training pictures, and whole pictures with the others' cuts.

    Parameters
    ----------
    queries : (N, VIEWS, len(CUTS), d);  train : (len(CUTS), B, d)

    Returns
    -------
    (N, VIEWS * len(CUTS), B) and (N, VIEWS * (len(CUTS) - 1), B)
    """
    theirs = queries[:, :, 0] @ train[1:].flatten(0, 1).T
    return queries.flatten(1, 2) @ train[0].T, theirs.unflatten(2, (len(CUTS) - 1, -1)).flatten(1, 2)


def mirrored(thumbnails: Tensor) -> Tensor:
    """Mirror thumbnails (..., size²)."""
    size = math.isqrt(thumbnails.shape[-1])
    return thumbnails.unflatten(-1, (size, size)).flip(-1).flatten(-2)


def whole_grey(shards: Shards, number: int) -> Tensor:
    """Return the luminance, float32 (H, W), of a whole picture."""
    return torch.from_numpy(simplejpeg.decode_jpeg(shards.jpeg(number), "GRAY")[:, :, 0]).float()


def gathered(views: Iterable[Tensor], count: int, device: torch.device | None = None) -> Tensor:
    """Put the views of `count` pictures (at least one) into one tensor as they come, (count, VIEWS, len(CUTS), d).

    A list that is stacked at its end would hold them twice. The tensor is on `device`; None: where the first view is.
    """
    views = iter(views)
    first = next(views)
    found = first.new_empty((count, *first.shape), device=device)
    found[0] = first
    for place, one in enumerate(views, 1):
        found[place] = one
    return found
