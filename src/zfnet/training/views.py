"""What the net is shown: one crop per image, random in training and central in validation (PAPER.md 2, D10, D11)."""

import torch
from torch import Tensor

from zfnet.data.augment import Crops, centre_crops, colour_noise, prepare, random_crops, ten_crops
from zfnet.nets import Network
from zfnet.settings import Recipe
from zfnet.training.randomness import generator


def training_views(
    images: Tensor, net: Network, recipe: Recipe, covariance: Tensor, place: tuple[int, int, int], epochs_done: float
) -> Tensor:
    """Give one random view of every image.

    Parameters
    ----------
    images : uint8 (B, S, S, 3), on the net's device.
    covariance : float32 (3, 3) of RGB values, for the colour noise.
    place : (seed, epoch, step), which decides everything random here.
    epochs_done : share of the training that is over; colour noise ends at `recipe.colour_stop` (D30).

    Returns
    -------
    Tensor
        float32 (B, 3, crop, crop), mean-subtracted RGB.
    """
    draw = generator("views", *place)
    crops = _draw_crops(len(images), net, recipe, draw)
    noise = None
    if recipe.colour and epochs_done < recipe.colour_stop:
        noise = colour_noise(len(images), covariance.cpu(), recipe.colour, draw).to(images.device)
    return prepare(images, crops, net.crop, net.mean, noise)


def centre_views(images: Tensor, net: Network) -> Tensor:
    """Give the central crop of every image: uint8 (B, S, S, 3) -> float32 (B, 3, crop, crop), mean-subtracted RGB."""
    return prepare(images, centre_crops(len(images), net.size, net.crop), net.crop, net.mean)


def _draw_crops(count: int, net: Network, recipe: Recipe, draw: torch.Generator) -> Crops:
    if recipe.crops == "random":
        return random_crops(count, net.size, net.crop, draw)
    chosen = torch.randint(10, (count,), generator=draw)  # the fixed ten, one of them per image and epoch (D10)
    return Crops(*(part[chosen] for part in ten_crops(net.size, net.crop)))
