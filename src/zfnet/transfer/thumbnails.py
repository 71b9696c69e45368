"""Grey thumbnails whose products are normalised correlations, and the ways in which two pictures are compared (D29)."""

import simplejpeg
import torch
import torch.nn.functional as F
from torch import Tensor

from zfnet.data.loader import Shards

VIEWS = 4  # of a picture looked for
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
    """Return thumbnails, (VIEWS, len(CUTS), size²), of a grey picture (H, W), its centre square, both mirrored."""
    height, width = image.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    views = (image, square, image.flip(1), square.flip(1))
    return torch.stack([torch.cat([thumbnails(view[None], size, cut) for cut in CUTS]) for view in views])


def correlate(queries: Tensor, train: Tensor) -> Tensor:
    """Return the largest absolute correlation, (N, B), over the ways of cutting.

    Parameters
    ----------
    queries : (N, VIEWS, len(CUTS), d);  train : (len(CUTS), B, d)
    """
    ours = (queries.flatten(1, 2) @ train[0].T).abs().amax(1)  # (N, VIEWS * len(CUTS), B) -> (N, B)
    theirs = (queries[:, :, 0] @ train[1:].flatten(0, 1).T).abs()
    return torch.maximum(ours, theirs.unflatten(2, (len(CUTS) - 1, -1)).amax((1, 2)))


def whole_grey(shards: Shards, number: int) -> Tensor:
    """Return the luminance, float32 (H, W), of a whole picture."""
    return torch.from_numpy(simplejpeg.decode_jpeg(shards.jpeg(number), "GRAY")[:, :, 0]).float()
