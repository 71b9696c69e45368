"""What the net is shown: one crop per image, random in training and central in validation (PAPER.md 2, D10, D11)."""

from typing import NamedTuple

import torch
from torch import Tensor

from zfnet.data.augment import Crops, centre_crops, colour_noise, prepare, random_crops, ten_crops
from zfnet.nets import Network
from zfnet.settings import Recipe
from zfnet.training.randomness import generator


class Draws(NamedTuple):
    """What is random in the views of some images; `colour` is float32 (B, 3), or None where there is no noise."""

    crops: Crops
    colour: Tensor | None

    def part(self, rank: int, ranks: int) -> "Draws":
        """Give the rows of one of `ranks` equal parts."""
        length = len(self.crops.tops) // ranks
        rows = slice(rank * length, (rank + 1) * length)
        return Draws(Crops(*(one[rows] for one in self.crops)), None if self.colour is None else self.colour[rows])


def draw_views(
    count: int, net: Network, recipe: Recipe, covariance: Tensor, place: tuple[int, int, int], epochs_done: float
) -> Draws:
    """Draw, on the CPU, the views of a minibatch of `count` images; see `training_views`."""
    draw = generator("views", *place)
    crops = _draw_crops(count, net, recipe, draw)
    noisy = recipe.colour and epochs_done < recipe.colour_stop
    return Draws(crops, colour_noise(count, covariance, recipe.colour, draw) if noisy else None)


def training_views(
    images: Tensor,
    net: Network,
    recipe: Recipe,
    covariance: Tensor,
    place: tuple[int, int, int],
    epochs_done: float,
    rank: int = 0,
    ranks: int = 1,
) -> Tensor:
    """Give one random view of every image.

    Parameters
    ----------
    images : uint8 (B, S, S, 3), on the net's device.
    covariance : float32 (3, 3) of RGB values, for the colour noise.
    place : (seed, epoch, step), which decides everything random here.
    epochs_done : share of the training that is over; colour noise ends at `recipe.colour_stop` (D30).
    rank, ranks : `images` are part `rank` of a minibatch that `ranks` processes share evenly.

    Returns
    -------
    Tensor
        float32 (B, 3, crop, crop), mean-subtracted RGB.
    """
    draws = draw_views(ranks * len(images), net, recipe, covariance, place, epochs_done).part(rank, ranks)
    return prepare(images, draws.crops, net.crop, net.mean, draws.colour)


def centre_views(images: Tensor, net: Network) -> Tensor:
    """Give the central crop of every image: uint8 (B, S, S, 3) -> float32 (B, 3, crop, crop), mean-subtracted RGB."""
    return prepare(images, centre_crops(len(images), net.size, net.crop), net.crop, net.mean)


def _draw_crops(count: int, net: Network, recipe: Recipe, draw: torch.Generator) -> Crops:
    if recipe.crops == "random":
        return random_crops(count, net.size, net.crop, draw)
    chosen = torch.randint(10, (count,), generator=draw)  # the fixed ten, one of them per image and epoch (D10)
    return Crops(*(part[chosen] for part in ten_crops(net.size, net.crop)))
