"""What covering a picture says about the projections and the classifier, picture by picture (claims C32 and C33).

Figure 7 shows that a map falls silent where the square covers what its projection shows, and that the classifier may
miss something else. Here the same is said in numbers, for more pictures and at fewer places: do the losses of a map
rank as the energy of its projection below the square, more so than as that of another map's projection; how far apart
are the places where map and classifier suffer most, and how much does the latter; and what is left of the probability
when only that map is set to 0.
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


class Covered(NamedTuple):
    """The numbers of one picture; `own` to `alike` are rank correlations over the places of the square, -1..1."""

    own: float  # energy of the strongest map's projection below the square, and what the map loses
    control: float  # energy of another map's projection, and what the strongest map loses
    alike: float  # activity of the map, and probability of the true class
    apart: float  # distance between the smallest activity and the smallest probability, in sides of the square
    lost: float  # share of the probability of the true class that is lost where it is smallest
    left: float  # share of the probability of the true class that is left when the map is set to 0


def another_map(net: Network, inputs: Tensor, layer: str, chosen: int, seed: tuple[int, ...]) -> int | None:
    """A random other map of `layer` that responds to a picture, float (1, 3, crop, crop); None where none does."""
    *_, last = net.walk(inputs, layer)
    others = [one for one in last.output[0].amax((1, 2)).gt(0).nonzero().flatten().tolist() if one != chosen]
    return int(np.random.default_rng(seed).choice(others)) if others else None


def energy_below(net: Network, inputs: Tensor, layer: str, one: int, side: int, stride: int) -> np.ndarray:
    """Energy of a map's projection below the square at each of its places: float (h, w)."""
    _, pixels = project(net, inputs, layer, one)
    return below(pixels.square().sum(1)[0], side, stride).cpu().numpy()


def below(energy: Tensor, side: int, stride: int) -> Tensor:
    """Sum of what lies below the square at each of its places: float (H, W) -> (h, w)."""
    return avg_pool2d(energy[None], side, stride)[0] * side**2


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation of two maps of the same places; 0 where one of them is flat."""
    ranks = [rankdata(one.ravel()) for one in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1]) if all(np.ptp(one) > 0 for one in ranks) else 0.0


def minima_apart(activity: np.ndarray, probability: np.ndarray, side: int, stride: int) -> float:
    """Distance between the smallest values of two maps of places, in sides of the square; of equal ones the nearest."""
    places = (np.argwhere(one == one.min()) for one in (activity, probability))
    return float(cdist(*places).min() * stride / side)


@torch.no_grad()
def without_map(net: Network, inputs: Tensor, layer: str, one: int) -> Tensor:
    """Probabilities of the classes, float (B, classes), when one map of `layer` is 0 everywhere."""
    signal = inputs
    for index, operation in enumerate(net.operations):
        signal = operation.module(signal)
        if index == net.layers[layer]:
            signal = signal.index_fill(1, torch.tensor([one], device=signal.device), 0)
    return signal.softmax(1)
