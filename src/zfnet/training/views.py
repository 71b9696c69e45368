"""What the net is shown: one crop per image, random in training and central in validation (ZF sect. 3, D10, D11)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zfnet.core.seeds import generator
from zfnet.data.augment import Crops, centre_crops, colour_noise, prepare, random_crops, ten_crops
from zfnet.nets import Network
from zfnet.settings import Recipe


class Minibatch(NamedTuple):
    """Squares with all that was drawn for their views.

    Attributes
    ----------
    images : uint8 (B, S, S, 3).
    labels : int64 (B,).
    tops, lefts, flips : the parts of `Crops`.
    colour : float32 (B, 3) to be added to all pixels of an image; None if the recipe knows no colour noise.
    """

    images: Tensor
    labels: Tensor
    tops: Tensor
    lefts: Tensor
    flips: Tensor
    colour: Tensor | None

    def each(self, change: Callable[[Tensor], Tensor]) -> "Minibatch":
        """Apply a function to all tensors."""
        return Minibatch(*(None if tensor is None else change(tensor) for tensor in self))


def draw_views(
    images: Tensor,
    labels: Tensor,
    net: Network,
    recipe: Recipe,
    covariance: Tensor,
    place: tuple[int, int, int],
    epochs_done: float,
    rank: int = 0,
    ranks: int = 1,
) -> Minibatch:
    """Draw, on the CPU, one random view of every image.

    Parameters
    ----------
    images, labels : uint8 (B, S, S, 3) and int64 (B,), on any device: part `rank` of a minibatch that `ranks`
        processes share evenly. Views are drawn for all of it, so an image's own does not depend on `ranks`.
    covariance : float32 (3, 3) of RGB values, for the colour noise.
    place : (seed, epoch, step), which decides everything random here.
    epochs_done : share of the training that is over; colour noise is zero from `recipe.pca_noise_until` on (D30).
    """
    draw, count = generator("views", *place), ranks * len(images)
    crops = _draw_crops(count, net, recipe, draw)
    strength = recipe.pca_noise if epochs_done < recipe.pca_noise_until else 0.0
    colour = colour_noise(count, covariance, strength, draw) if recipe.pca_noise else None
    own = slice(rank * len(images), (rank + 1) * len(images))
    return Minibatch(images, labels, *(part[own] for part in crops), None if colour is None else colour[own])


def training_views(minibatch: Minibatch, net: Network) -> Tensor:
    """Cut the views that were drawn: float32 (B, 3, crop, crop), mean-subtracted RGB, where the images are."""
    crops = Crops(minibatch.tops, minibatch.lefts, minibatch.flips)
    return prepare(minibatch.images, crops, net.crop, net.mean, minibatch.colour)


def centre_views(images: Tensor, net: Network) -> Tensor:
    """Give the central crop of every image: uint8 (B, S, S, 3) -> float32 (B, 3, crop, crop), mean-subtracted RGB."""
    return prepare(images, centre_crops(len(images), net.size, net.crop), net.crop, net.mean)


def _draw_crops(count: int, net: Network, recipe: Recipe, draw: torch.Generator) -> Crops:
    if recipe.crops == "random":
        return random_crops(count, net.size, net.crop, draw)
    chosen = torch.randint(10, (count,), generator=draw)  # the fixed ten, one of them per image and epoch (D10)
    return Crops(*(part[chosen] for part in ten_crops(net.size, net.crop)))
