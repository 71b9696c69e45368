"""Similarity of a layer's features at two epochs of a training (claim C39): linear CKA on the same images.

Centred kernel alignment compares which images a layer represents alike, so it is invariant to rotations and to the
scale of the features (Kornblith et al. 2019). With far more features than images the plain estimate is near 1 for any
features; the unbiased one is near 0 for unrelated features (Nguyen et al. 2021, after Song et al. 2012). Maps are
averaged over a grid of at most `GRID` x `GRID` cells, which bounds the memory.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from zfnet.nets import Network
from zfnet.visualize.net_inputs import InputBatch

IMAGES = 200
GRID = 6


def cka(first: Tensor, second: Tensor) -> float:
    """Compute the unbiased linear CKA of two sets of features of the same N > 3 images, float (N, p) and (N, q).

    It is at most 1, about 0 for unrelated features, and 0 if one set is the same for all images.
    """
    first, second = _centred_gram(first), _centred_gram(second)
    norms = first.norm() * second.norm()
    return float((first * second).sum() / norms) if norms > 0 else 0.0


def cka_to_last(
    batches: Iterable[InputBatch], nets: Mapping[int, Network], layers: Sequence[str]
) -> dict[str, np.ndarray]:
    """Compute the CKA of each layer at every epoch with the same layer at the last one: layer -> float32 (E,).

    Reads `batches` once; the averaged features of all images and epochs are kept.
    """
    features: dict[int, dict[str, list[Tensor]]] = {epoch: {layer: [] for layer in layers} for epoch in nets}
    for batch in batches:
        for epoch, net in nets.items():
            for layer, values in _features(net, batch.inputs, layers).items():
                features[epoch][layer].append(values)
    last = features[max(features)]
    return {
        layer: np.array([cka(torch.cat(at[layer]), torch.cat(last[layer])) for at in features.values()], np.float32)
        for layer in layers
    }


@torch.no_grad()
def _features(net: Network, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return the features of each layer, averaged over the cells of a grid: layer -> float32 (B, C * cells)."""
    names = {net.layers[layer]: layer for layer in layers}
    records = enumerate(net.iter_forward(inputs, max(layers, key=net.layers.__getitem__)))
    return {names[index]: _coarse(record.output) for index, record in records if index in names}


def _coarse(output: Tensor) -> Tensor:
    if output.ndim == 4 and output.shape[2] > GRID:
        output = adaptive_avg_pool2d(output, GRID)  # (B, C, GRID, GRID)
    return output.flatten(1).float().cpu()


def _centred_gram(features: Tensor) -> Tensor:
    """Return the U-centred Gram matrix K~ of the images, float64 (N, N) (Song et al. 2012).

    With the diagonal of K = X X' set to 0, K~[i, j] = K[i, j] - sum of K[i, :] / (N - 2) - sum of K[:, j] / (N - 2)
    + sum of K / ((N - 1) (N - 2)) off the diagonal and 0 on it. The divisors make <K~, L~> / (N (N - 3)) an unbiased
    estimate of HSIC; the factor cancels in the ratio of `cka`.
    """
    features = features.double() - features.double().mean(0)  # changes nothing but the rounding
    gram, count = features @ features.T, len(features)
    gram.fill_diagonal_(0)
    sums = gram.sum(0) / (count - 2)
    centred = gram - sums[:, None] - sums[None] + sums.sum() / (count - 1)
    return centred.fill_diagonal_(0)
