"""Network inputs: one crop per image, random in training and central in validation (ZF sect. 3, D10, D11)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zfnet.core.seeds import generator
from zfnet.data.augment import Crops, centre_crops, colour_noise, prepare, random_crops, ten_crops
from zfnet.nets import Network
from zfnet.settings import Recipe
from zfnet.training.distributed import SINGLE_PROCESS, Rank


class Minibatch(NamedTuple):
    """Squares, and the random draws for their views.

    Attributes
    ----------
    images : uint8 (B, S, S, 3).
    labels : int64 (B,).
    tops, lefts, flips : int64, int64, bool (B,), the fields of `Crops`.
    colour : float32 (B, 3), added to all pixels of an image; None if the recipe has no colour noise.
    """

    images: Tensor
    labels: Tensor
    tops: Tensor
    lefts: Tensor
    flips: Tensor
    colour: Tensor | None

    def map(self, function: Callable[[Tensor], Tensor]) -> "Minibatch":
        """Return the minibatch with `function` applied to every tensor."""
        images, labels, tops, lefts, flips = map(function, self[:5])
        colour = None if self.colour is None else function(self.colour)
        return Minibatch(images, labels, tops, lefts, flips, colour)


def draw_views(
    images: Tensor,
    labels: Tensor,
    net: Network,
    recipe: Recipe,
    covariance: Tensor,
    place: tuple[int, int, int],
    epochs_done: float,
    rank: Rank = SINGLE_PROCESS,
) -> Minibatch:
    """Draw one random view of every image, on the CPU.

    Parameters
    ----------
    images, labels : uint8 (B, S, S, 3) and int64 (B,), on any device: this rank's rows of the global
        minibatch. Views are drawn for all of it, so an image's view does not depend on the number of processes.
    covariance : float32 (3, 3) of the training set's RGB values, for the colour noise.
    place : (seed, epoch, step), the seed of all draws.
    epochs_done : fraction of the training that is over; colour noise is zero from `recipe.pca_noise_until` on (D30).
    """
    draw, count = generator("views", *place), rank.world_size * len(images)
    crops = _draw_crops(count, net, recipe, draw)  # of the global minibatch
    strength = recipe.pca_noise if epochs_done < recipe.pca_noise_until else 0.0
    colour = colour_noise(count, covariance, strength, draw) if recipe.pca_noise else None
    local = slice(rank.rank * len(images), (rank.rank + 1) * len(images))
    tops, lefts, flips = (values[local] for values in crops)
    return Minibatch(images, labels, tops, lefts, flips, None if colour is None else colour[local])


def training_views(minibatch: Minibatch, net: Network) -> Tensor:
    """Return the views that were drawn: float32 (B, 3, crop, crop), mean-subtracted RGB, on their device."""
    crops = Crops(minibatch.tops, minibatch.lefts, minibatch.flips)
    return prepare(minibatch.images, crops, net.crop, net.mean, minibatch.colour)


def centre_views(images: Tensor, net: Network) -> Tensor:
    """Return the centre crop of every image: uint8 (B, S, S, 3) -> float32 (B, 3, crop, crop), mean-subtracted RGB."""
    return prepare(images, centre_crops(len(images), net.size, net.crop), net.crop, net.mean)


def _draw_crops(count: int, net: Network, recipe: Recipe, draw: torch.Generator) -> Crops:
    if recipe.crops == "random":
        return random_crops(count, net.size, net.crop, draw)
    if recipe.crops == "centre":
        return centre_crops(count, net.size, net.crop)
    chosen = torch.randint(10, (count,), generator=draw)  # one of the ten fixed crops per image and epoch (D10)
    return Crops(*(values[chosen] for values in ten_crops(net.size, net.crop)))
