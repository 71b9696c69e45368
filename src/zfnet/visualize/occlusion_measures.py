"""Measures of occlusion for each image (claims C32 and C33).

Figure 7 shows that a map falls silent where the square covers what its projection shows, and that the classifier may
depend on something else. These measures state the same in numbers, for more images and fewer positions: how well the
losses of a map rank like the energy of its projection below the square, compared with the projection of another map;
how far apart the positions are at which map and classifier lose most, and how much the classifier loses; and what
remains of the probability if only that map is set to 0.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import avg_pool2d

from zfnet.nets import Network
from zfnet.visualize.backward import project


class OcclusionMeasures(NamedTuple):
    """The measures of one image; `own` to `alike` are rank correlations over the positions of the square, -1..1."""

    own: float  # energy of the strongest map's projection below the square, and the map's loss
    control: float  # energy of another map's projection, and the strongest map's loss
    alike: float  # activity of the map, and probability of the true class
    apart: float  # distance between the smallest activity and the smallest probability, in sides of the square
    lost: float  # fraction of the probability of the true class that is lost where it is smallest
    left: float  # fraction of the probability of the true class that is left when the map is set to 0


def another_map(net: Network, inputs: Tensor, layer: str, chosen: int, seed: tuple[int, ...]) -> int | None:
    """Draw another map of `layer` that responds to an image, float (1, 3, crop, crop); None if there is none."""
    *_, last = net.iter_forward(inputs, layer)
    responding = last.output[0].amax((1, 2)).gt(0).nonzero().flatten().tolist()
    others = [unit for unit in responding if unit != chosen]
    return int(np.random.default_rng(seed).choice(others)) if others else None


def energy_below(net: Network, inputs: Tensor, layer: str, unit: int, side: int, stride: int) -> np.ndarray:
    """Compute the energy of a map's projection below the square at each of its positions: float (h, w)."""
    _, pixels = project(net, inputs, layer, unit)
    return below(pixels.square().sum(1)[0], side, stride).cpu().numpy()


def below(energy: Tensor, side: int, stride: int) -> Tensor:
    """Sum the energy below the square at each of its positions: float (H, W) -> (h, w)."""
    return avg_pool2d(energy[None], side, stride)[0] * side**2


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Compute Spearman's correlation of two maps of the same positions; 0 if one of them is constant."""
    ranks = [rankdata(values.ravel()) for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1]) if all(np.ptp(values) > 0 for values in ranks) else 0.0


def minima_apart(activity: np.ndarray, probability: np.ndarray, side: int, stride: int) -> float:
    """Return the distance between the minima of two maps, in sides of the square; the nearest of equal minima."""
    minima = (np.argwhere(values == values.min()) for values in (activity, probability))
    return float(cdist(*minima).min() * stride / side)


@torch.no_grad()
def without_map(net: Network, inputs: Tensor, layer: str, unit: int) -> Tensor:
    """Compute the class probabilities, float (B, classes), with one map of `layer` set to 0."""
    x = inputs  # (B, 3, crop, crop)
    for index, operation in enumerate(net.operations):
        x = operation.module(x)
        if index == net.layers[layer]:
            x = x.index_fill(1, torch.tensor([unit], device=x.device), 0)
    return x.softmax(1)
