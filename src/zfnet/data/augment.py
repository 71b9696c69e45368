"""Crops, flips, mean and colour: from the S × S squares of the shards to the input of a net (ZF sect. 3, K sect. 4.1).

The mean image of the S × S squares is subtracted before cropping, as both papers say; Krizhevsky's code subtracts the
centre of the mean image whatever the crop. In training, every image gets its own random crop and flip at each
presentation (his code draws one for 32 images). The ten fixed crops serve testing and the option of D10. Colour noise
is scaled by standard deviations, not by eigenvalues (D30).

All functions are pure: the same generator state gives the same crops on every machine.
"""

from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError


class Crops(NamedTuple):
    """Position of each image's crop, and whether the crop is mirrored afterwards."""

    tops: Tensor  # int64 (B,), first row
    lefts: Tensor  # int64 (B,), first column
    flips: Tensor  # bool (B,)


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of `count` images in an epoch: int64 (count,), a permutation determined by (seed, epoch)."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def random_crops(count: int, size: int, crop: int, generator: torch.Generator) -> Crops:
    """Draw `count` crops, uniform over the (size - crop + 1)² positions and mirrored with probability one half."""
    positions = _margin(size, crop) + 1
    tops, lefts = torch.randint(positions, (2, count), generator=generator, device=generator.device)
    flips = torch.randint(2, (count,), generator=generator, device=generator.device).bool()
    return Crops(tops, lefts, flips)


def centre_crops(count: int, size: int, crop: int) -> Crops:
    """Return `count` centre crops, not mirrored."""
    middle = torch.full((count,), _margin(size, crop) // 2)
    return Crops(middle, middle, torch.zeros(count, dtype=torch.bool))


def ten_crops(size: int, crop: int) -> Crops:
    """Return the ten test crops: corners (top left and right, bottom left and right) and centre, then all mirrored."""
    end = _margin(size, crop)
    tops = torch.tensor([0, 0, end, end, end // 2])
    lefts = torch.tensor([0, end, 0, end, end // 2])
    return Crops(tops.repeat(2), lefts.repeat(2), torch.arange(10) >= 5)


def colour_noise(count: int, covariance: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Draw one RGB offset per image along the principal components of the colours (D30).

    The offset is Σ p √λ a over the eigenvectors p and eigenvalues λ of the covariance, with a ~ N(0, strength²).
    The symmetric root P √Λ Pᵀ gives the same distribution, whatever signs LAPACK gives the eigenvectors.

    Parameters
    ----------
    covariance : float (3, 3), of the RGB values of the training set, 0..255
    strength : standard deviation of a; 0.1 in Krizhevsky et al.

    Returns
    -------
    float32 (count, 3), to be added to every pixel
    """
    variances, components = torch.linalg.eigh(covariance.double().cpu())
    root = components * variances.clamp(min=0).sqrt() @ components.T  # (3, 3)
    draws = torch.randn(count, 3, generator=generator, dtype=torch.float64, device=generator.device)
    return (strength * draws @ root.to(draws.device)).float()


def prepare(images: Tensor, crops: Crops, crop: int, mean: Tensor, colour: Tensor | None = None) -> Tensor:
    """Subtract the mean, crop, mirror, add colour.

    Parameters
    ----------
    images : uint8 (B, S, S, 3), RGB, on any device
    crops : one crop per image
    crop : side of the crops, pixels
    mean : float32 (3, S, S), the mean image, 0..255
    colour : float32 (B, 3), offset for all pixels of an image

    Returns
    -------
    float32 (B, 3, crop, crop), channels last in memory, about -128..128, on the device of `images`
    """
    _check(images, crops, crop, mean)
    crops = Crops(*(values.to(images.device, non_blocking=True) for values in crops))
    mean = mean.to(images.device, torch.float32).permute(1, 2, 0).contiguous()  # (S, S, 3)
    if colour is not None:
        colour = colour.to(images.device, torch.float32)
    one_by_one = images.device.type == "cpu" and not torch.compiler.is_compiling()
    cut = _crop_each if one_by_one else _crop_batch
    return cut(images, crops, crop, mean, colour).permute(0, 3, 1, 2)


def _crop_batch(images: Tensor, crops: Crops, crop: int, mean: Tensor, colour: Tensor | None) -> Tensor:
    """Crop all images in one gather, which suits a GPU and compiles to one kernel."""
    along = torch.arange(crop, device=images.device)
    rows = crops.tops[:, None] + along  # (B, crop)
    columns = crops.lefts[:, None] + torch.where(crops.flips[:, None], along.flip(0), along)  # (B, crop)
    rows, columns = rows[:, :, None], columns[:, None, :]
    index = torch.arange(len(images), device=images.device)[:, None, None]  # (B, 1, 1)
    inputs = images[index, rows, columns] - mean[rows, columns]  # (B, crop, crop, 3)
    return inputs if colour is None else inputs + colour[:, None, None]


def _crop_each(images: Tensor, crops: Crops, crop: int, mean: Tensor, colour: Tensor | None) -> Tensor:
    """Crop one image after the other straight into the batch: on a CPU several times as fast as the gather."""
    inputs = torch.empty(len(images), crop, crop, 3)
    colours = repeat(None) if colour is None else colour
    for image, cut, offset, (top, left, flip) in zip(images, inputs, colours, _positions(crops), strict=False):
        window = slice(top, top + crop), slice(left, left + crop)
        torch.sub(image[window], mean[window], out=cut)
        if flip:
            cut.copy_(cut.flip(1))
        if offset is not None:
            cut += offset
    return inputs


def _positions(crops: Crops) -> Iterator[tuple[int, int, bool]]:
    return zip(*(values.tolist() for values in crops), strict=True)


def _margin(size: int, crop: int) -> int:
    if not 0 < crop <= size:
        raise ZfnetError(f"A crop of {crop} px cannot be cut from squares of {size} px; set nets.crop <= data.size.")
    return size - crop


def _check(images: Tensor, crops: Crops, crop: int, mean: Tensor) -> None:
    count, size = images.shape[:2]
    _margin(size, crop)
    if tuple(mean.shape) != (3, size, size):
        raise ZfnetError(
            f"The mean image has shape {tuple(mean.shape)}, the images are squares of {size} px; expected "
            f"(3, {size}, {size}): use the mean of the shards the images come from."
        )
    if len(crops.tops) != count:
        raise ZfnetError(f"{len(crops.tops)} crops for {count} images; expected one crop per image.")
