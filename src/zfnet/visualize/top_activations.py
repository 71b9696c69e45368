"""The strongest activations of feature maps over a whole data set (Figures 2, 4, 6 and 7).

One streaming pass keeps, for each map that is wanted, the k pictures in which its maximum is largest, and where in the
map it lies: a state of k numbers a map, never an activation. At most one activation per picture counts, taken after
the ReLU of the convolution (D17). Equal activations are ordered by picture, and equal maxima in one map by row and
column, so the result does not depend on how the pictures are batched.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.nets import Network
from zfnet.visualize.net_inputs import View

LAYERS = (1, 2, 3, 4, 5)
_SOUGHT = -1  # a column not yet known


class Strongest(NamedTuple):
    """The k strongest of M maps, strongest first. k is smaller where there were fewer pictures."""

    values: Tensor  # float32 (M, k)
    images: Tensor  # int64 (M, k), places in the data set
    rows: Tensor  # int64 (M, k), place in the map
    columns: Tensor  # int64 (M, k)


class Tally:
    """Running k strongest of some maps.

    Parameters
    ----------
    maps : the maps to follow, M of them.
    k : how many pictures to keep for each.
    """

    def __init__(self, maps: Sequence[int], k: int) -> None:
        self.maps, self.k = torch.as_tensor(maps, dtype=torch.int64), k
        empty = torch.empty(len(self.maps), 0)
        self._best = Strongest(empty, *(empty.long() for _ in range(3)))

    def add(self, activations: Tensor, images: Tensor) -> None:
        """Take in the activations float (B, C, H, W), or (B, C), of the pictures `images`, int64 (B,)."""
        activations = activations if activations.ndim == 4 else activations[..., None, None]
        values = activations.amax((2, 3))[:, self.maps.to(activations.device)].T.float().cpu()  # (M, B)
        batch = torch.arange(len(images)).expand_as(values)
        # The place in the batch stands for the row until it is known who stays: only their maps are searched.
        new = Strongest(values, images.expand_as(values), batch, torch.full_like(batch, _SOUGHT))
        self._best = _keep(Strongest(*(torch.cat(pair, 1) for pair in zip(self._best, new, strict=True))), self.k)
        self._locate(activations)

    def _locate(self, activations: Tensor) -> None:
        """Find where the maxima lie that this batch brought; of equal ones the first by row and column."""
        rows, columns = self._best.rows, self._best.columns
        sought = columns == _SOUGHT
        found = self.maps[sought.nonzero()[:, 0]].to(activations.device)
        planes = activations[rows[sought].to(activations.device), found]  # (n, H, W)
        place = planes.flatten(1).argmax(1).cpu()
        rows[sought], columns[sought] = place // planes.shape[2], place % planes.shape[2]

    @property
    def result(self) -> Strongest:
        """The strongest of all pictures so far."""
        return self._best


def find_strongest(
    net: Network, views: Iterable[View], maps: Mapping[str, Sequence[int]], k: int
) -> dict[str, Strongest]:
    """Find the k strongest pictures of the maps of each layer in one pass.

    Parameters
    ----------
    views : the pictures, each once, in any order and batches of any size.
    maps : layer name -> its maps.
    """
    tallies = {layer: Tally(chosen, k) for layer, chosen in maps.items()}
    for view in views:
        take_in(net, view, tallies)
    return {layer: tally.result for layer, tally in tallies.items()}


@torch.no_grad()
def take_in(net: Network, view: View, tallies: Mapping[str, Tally]) -> None:
    """Run some pictures through `net` as far as needed and show each layer to its tally."""
    wanted = {net.layers[layer]: tally for layer, tally in tallies.items()}
    last = max(tallies, key=net.layers.__getitem__)
    for index, step in enumerate(net.walk(view.inputs, last)):
        if index in wanted:
            wanted[index].add(step.output, view.indices)


def random_maps(net: Network, counts: Mapping[int, int | None], seed: int) -> dict[str, list[int]]:
    """Draw maps of layers 1-5, `counts` of each at most: the same ones first whatever the count, none twice.

    None draws all maps of a layer; layers that the net lacks are left out.
    """
    chosen = {}
    for layer, count in counts.items():
        if (name := f"conv{layer}") in net.layers:
            maps = np.random.default_rng((seed, layer)).permutation(count_maps(net, name))
            chosen[name] = maps[:count].tolist()
    return chosen


def number(layer: str) -> int:
    """The paper's number of a layer: 5 of "conv5"."""
    return int(layer.removeprefix("conv"))


def count_maps(net: Network, layer: str) -> int:
    """Maps of a convolutional layer, units of a fully connected one: those of the last such operation up to it."""
    modules = [operation.module for operation in net.operations[: net.layers[layer] + 1]]
    weights = [module.weight for module in modules if getattr(module, "weight", None) is not None]
    return len(weights[-1]) if weights else 3


def _keep(found: Strongest, k: int) -> Strongest:
    """Keep the k largest of each row, equal ones by picture: sorted by picture first, then stably by value."""
    by_image = found.images.argsort(dim=1)
    order = found.values.gather(1, by_image).argsort(dim=1, descending=True, stable=True)
    best = by_image.gather(1, order)[:, :k]
    return Strongest(*(part.gather(1, best) for part in found))
