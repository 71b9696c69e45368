"""How alike a layer's features are at two moments of a training (claim C39): linear CKA on the same pictures.

Centred kernel alignment compares which pictures a layer finds alike, so it is blind to rotations and to the scale of
the features (Kornblith et al. 2019). There are far more features than pictures, where the plain estimate is near 1
whatever the features are; the unbiased one is near 0 for features that have nothing in common (Nguyen et al. 2021,
after Song et al. 2012). Maps are averaged over a grid of at most `GRID` x `GRID` places, so that memory is bounded.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from zfnet.nets import Network
from zfnet.visualize.net_inputs import View

PICTURES = 200
GRID = 6


def cka(first: Tensor, second: Tensor) -> float:
    """Unbiased linear CKA of two sets of features of the same N > 3 pictures, float (N, p) and (N, q): at most 1.

    About 0 where they have nothing in common; 0 where one of them tells no pictures apart.
    """
    first, second = _likeness(first), _likeness(second)
    norms = first.norm() * second.norm()
    return float((first * second).sum() / norms) if norms > 0 else 0.0


def to_the_last(views: Iterable[View], nets: Mapping[int, Network], layers: Sequence[str]) -> dict[str, np.ndarray]:
    """CKA of each layer at every epoch with the same layer at the last one: layer -> float32 (E,).

    `views` are gone through once; of each picture the features of all epochs are kept, averaged over places.
    """
    seen: dict[int, dict[str, list[Tensor]]] = {epoch: {layer: [] for layer in layers} for epoch in nets}
    for view in views:
        for epoch, net in nets.items():
            for layer, features in _features(net, view.inputs, layers).items():
                seen[epoch][layer].append(features)
    last = seen[max(seen)]
    return {
        layer: np.array([cka(torch.cat(one[layer]), torch.cat(last[layer])) for one in seen.values()], np.float32)
        for layer in layers
    }


@torch.no_grad()
def _features(net: Network, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Features of each layer, averaged over a grid of places: layer -> float32 (B, C * places)."""
    names = {net.layers[layer]: layer for layer in layers}
    steps = enumerate(net.walk(inputs, max(layers, key=net.layers.__getitem__)))
    return {names[index]: _coarse(step.output) for index, step in steps if index in names}


def _coarse(output: Tensor) -> Tensor:
    if output.ndim == 4 and output.shape[2] > GRID:
        output = adaptive_avg_pool2d(output, GRID)
    return output.flatten(1).float().cpu()


def _likeness(features: Tensor) -> Tensor:
    """How alike the pictures are, pair by pair, without what a picture or all of them share: float64 (N, N)."""
    features = features.double() - features.double().mean(0)
    alike, count = features @ features.T, len(features)
    alike.fill_diagonal_(0)
    sums = alike.sum(0) / (count - 2)
    centred = alike - sums[:, None] - sums[None] + sums.sum() / (count - 1)
    return centred.fill_diagonal_(0)
