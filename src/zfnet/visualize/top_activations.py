"""The top activations of feature maps over a whole data set (Figures 2, 4, 6 and 7).

One streaming pass keeps, for each requested map, the k images in which its maximum is largest and the position of that
maximum: k numbers per map, never a stored activation. Each image counts at most once, with its activation after the
ReLU of the convolution (D17). Equal activations are ordered by image, and equal maxima within a map by row and column,
so the result does not depend on how the images are batched.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.nets import Network
from zfnet.visualize.net_inputs import InputBatch

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
_UNKNOWN = -1  # a column that is still to be located


class TopActivations(NamedTuple):
    """The k top activations of M maps, in descending order; k is smaller if there were fewer images."""

    values: Tensor  # float32 (M, k)
    images: Tensor  # int64 (M, k), indices into the data set
    rows: Tensor  # int64 (M, k), position in the map
    columns: Tensor  # int64 (M, k)


class TopK:
    """Running k top activations of some maps of one layer.

    Parameters
    ----------
    maps : the maps to follow, M of them.
    k : number of images to keep for each map.
    """

    def __init__(self, maps: Sequence[int], k: int) -> None:
        self.maps, self.k = torch.as_tensor(maps, dtype=torch.int64), k
        empty = torch.empty(len(self.maps), 0)
        self._best = TopActivations(empty, *(empty.long() for _ in range(3)))

    def update(self, activations: Tensor, images: Tensor) -> None:
        """Merge the activations float (B, C, H, W) or (B, C) of the images with indices `images`, int64 (B,)."""
        activations = activations if activations.ndim == 4 else activations[..., None, None]
        values = activations.amax((2, 3))[:, self.maps.to(activations.device)].T.float().cpu()  # (M, B)
        batch = torch.arange(len(images)).expand_as(values)  # (M, B), index into this minibatch
        # `rows` holds the index into the minibatch until it is known who stays: only those maps are searched.
        new = TopActivations(values, images.expand_as(values), batch, torch.full_like(batch, _UNKNOWN))
        merged = TopActivations(*(torch.cat(pair, 1) for pair in zip(self._best, new, strict=True)))  # (M, k + B)
        self._best = _keep_largest(merged, self.k)
        self._locate(activations)

    def _locate(self, activations: Tensor) -> None:
        """Find the positions of the maxima from this minibatch; of equal ones the first by row and column."""
        rows, columns = self._best.rows, self._best.columns
        new = columns == _UNKNOWN  # (M, k)
        maps = self.maps[new.nonzero()[:, 0]].to(activations.device)
        planes = activations[rows[new].to(activations.device), maps]  # (n, H, W)
        place = planes.flatten(1).argmax(1).cpu()
        rows[new], columns[new] = place // planes.shape[2], place % planes.shape[2]

    @property
    def result(self) -> TopActivations:
        """The top activations of all images so far."""
        return self._best


def find_strongest(
    net: Network, batches: Iterable[InputBatch], maps: Mapping[str, Sequence[int]], k: int
) -> dict[str, TopActivations]:
    """Find the k top activations of the maps of each layer in one pass.

    Parameters
    ----------
    batches : the images, each once, in any order and in batches of any size.
    maps : layer name -> its maps.
    """
    trackers = {layer: TopK(chosen, k) for layer, chosen in maps.items()}
    for batch in batches:
        update_topk(net, batch, trackers)
    return {layer: tracker.result for layer, tracker in trackers.items()}


@torch.no_grad()
def update_topk(net: Network, batch: InputBatch, trackers: Mapping[str, TopK]) -> None:
    """Run a minibatch through `net` as far as needed, and update the tracker of each layer."""
    trackers_at: dict[int, list[TopK]] = {}  # two names may be those of one operation
    for layer, tracker in trackers.items():
        trackers_at.setdefault(net.layers[layer], []).append(tracker)
    last = max(trackers, key=net.layers.__getitem__)
    for index, record in enumerate(net.iter_forward(batch.inputs, last)):
        for tracker in trackers_at.get(index, []):
            tracker.update(record.output, batch.indices)


def random_maps(net: Network, counts: Mapping[str, int | None], seed: int) -> dict[str, list[int]]:
    """Draw distinct maps of layers 1-5 at random, at most `counts` of each; a smaller count gives a prefix.

    None draws all maps of a layer; layers that the net lacks are left out.
    """
    chosen = {}
    for layer, count in counts.items():
        if layer in net.layers:
            number = int(layer.removeprefix("conv"))  # each layer has its own random order
            chosen[layer] = np.random.default_rng((seed, number)).permutation(count_maps(net, layer))[:count].tolist()
    return chosen


@torch.no_grad()
def count_maps(net: Network, layer: str) -> int:
    """Count the maps of a convolutional layer or the units of a fully connected one."""
    first = next(net.parameters(), net.mean)
    *_, last = net.iter_forward(torch.zeros(1, 3, net.crop, net.crop, dtype=first.dtype, device=first.device), layer)
    return last.output.shape[1]


def _keep_largest(top: TopActivations, k: int) -> TopActivations:
    """Keep the k largest of each row, equal ones by image: sort by image first, then stably by value."""
    by_image = top.images.argsort(dim=1)
    order = top.values.gather(1, by_image).argsort(dim=1, descending=True, stable=True)
    best = by_image.gather(1, order)[:, :k]
    return TopActivations(*(part.gather(1, best) for part in top))
