"""Predictions of a net: its softmax, averaged over the ten test crops or from the centre crop alone.

The ten crops are the corners and the centre with their reflections; the mean is taken over probabilities, not logits
(K sect. 4.1, D22). Crops pass through the net one at a time, so memory does not depend on their number. Prediction is
always in full precision and without dropout; the mode of the net is restored afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from zfnet.core.device import full_precision
from zfnet.core.progress_bar import track
from zfnet.data.augment import Crops, centre_crops, prepare, ten_crops
from zfnet.data.loader import Shards, require_square_size
from zfnet.nets import Network


def ten_crop(net: Network, shards: Shards, indices: ArrayLike, batch: int, threads: int = 2) -> Tensor:
    """Return the mean softmax over the ten test crops.

    Parameters
    ----------
    net : on any device; its own mean image is subtracted.
    shards : prepared images, squares of `net.size` pixels.
    indices : int (N,), the images to predict, in this order.
    batch : images at a time; the result depends on it by rounding only.
    threads : decoding threads.

    Returns
    -------
    Tensor
        float32 (N, classes) on the CPU; rows add up to 1.
    """
    return _predict(net, shards, indices, batch, threads, ten_crop_views)


def centre(net: Network, shards: Shards, indices: ArrayLike, batch: int, threads: int = 2) -> Tensor:
    """Return the softmax of the centre crop; arguments and result as for `ten_crop`."""
    return _predict(net, shards, indices, batch, threads, centre_views)


def ten_crop_views(images: Tensor, net: Network) -> Iterator[Tensor]:
    """Yield the ten test crops of uint8 (B, S, S, 3), each float32 (B, 3, crop, crop)."""
    for top, left, flip in zip(*ten_crops(net.size, net.crop), strict=True):
        crops = Crops(*(value.repeat(len(images)) for value in (top, left, flip)))
        yield prepare(images, crops, net.crop, net.mean)


def centre_views(images: Tensor, net: Network) -> Iterator[Tensor]:
    """Yield the centre crop of uint8 (B, S, S, 3): float32 (B, 3, crop, crop)."""
    yield prepare(images, centre_crops(len(images), net.size, net.crop), net.crop, net.mean)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Switch to eval mode, full precision and no gradients; restore the mode of every module afterwards."""
    full_precision()
    modes = {module: module.training for module in net.modules()}
    try:
        with torch.inference_mode():
            net.eval()
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


Views = Callable[[Tensor, Network], Iterator[Tensor]]


def _predict(net: Network, shards: Shards, indices: ArrayLike, batch: int, threads: int, views: Views) -> Tensor:
    indices = np.asarray(indices, dtype=np.int64)
    require_square_size(shards, net.size)
    probabilities = torch.empty(len(indices), net.classes)
    batches = track(shards.batches(indices, batch, threads), "Predicting", -(-len(indices) // batch))
    with evaluating(net):
        done = 0
        for images, _, _ in batches:
            rows = _probabilities(net, images.to(net.mean.device), views)
            probabilities[done : done + len(rows)] = rows.cpu()
            done += len(rows)
    return probabilities


def _probabilities(net: Network, images: Tensor, views: Views) -> Tensor:
    softmaxes = [net(view).float().softmax(1) for view in views(images, net)]
    return torch.stack(softmaxes).mean(0)  # (B, classes)
