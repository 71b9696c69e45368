"""The layer tables of both nets (ZF Figure 3; Krizhevsky et al. Figure 2), and how variants change them.

A table lists the layers at full size with the numbers they have in the papers (D32). D4: the replica normalises before
pooling, the ZF net after it. Only the grouped convolutions reproduce Krizhevsky's two-GPU split: the contrast norm runs
over all maps, as in every one-GPU version of the net.
"""

from dataclasses import field
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Count = Annotated[int, Field(gt=0, le=10**6)]  # the limit catches mistakes and corrupt files
POOL_KERNEL: Literal[3] = 3
POOL_STRIDE = 2


class Conv(NamedTuple):
    """A convolutional layer and the operations that follow it, in order."""

    number: int
    maps: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    then: tuple[str, ...] = ("relu",)


class Full(NamedTuple):
    """A fully connected layer, followed by ReLU and dropout."""

    number: int
    units: int


Layer = Conv | Full

TABLES: dict[str, tuple[Layer, ...]] = {
    "zf": (
        Conv(1, 96, kernel=7, stride=2, then=("relu", "pool", "norm")),
        Conv(2, 256, kernel=5, stride=2, then=("relu", "pool", "norm")),
        Conv(3, 384, kernel=3, padding=1),
        Conv(4, 384, kernel=3, padding=1),
        Conv(5, 256, kernel=3, padding=1, then=("relu", "pool")),
        Full(6, 4096),
        Full(7, 4096),
    ),
    "krizhevsky": (
        Conv(1, 96, kernel=11, stride=4, then=("relu", "norm", "pool")),
        Conv(2, 256, kernel=5, padding=2, groups=2, then=("relu", "norm", "pool")),
        Conv(3, 384, kernel=3, padding=1),
        Conv(4, 384, kernel=3, padding=1, groups=2),
        Conv(5, 256, kernel=3, padding=1, groups=2, then=("relu", "pool")),
        Full(6, 4096),
        Full(7, 4096),
    ),
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Changes:
    """The changes that a variant makes to the published net (ZF Table 3; Krizhevsky et al. sect. 3).

    Attributes
    ----------
    remove : numbers of the layers to remove, with their norm; a pool moves to the layer before if that has none.
    units : units of layers 6 and 7; None: 4096.
    maps : number of a convolutional layer -> its feature maps.
    paddings : number of a convolutional layer -> its padding, pixels.
    pool_kernel : side of the pools' windows, whose stride is 2: 3 overlap, 2 do not.
    contrast_norm : whether layers 1 and 2 are normalised.
    one_column : whether every map of a layer sees all maps of the layer below: no groups.
    """

    remove: tuple[int, ...] = ()
    units: Count | None = None
    maps: dict[int, Count] = field(default_factory=dict)
    paddings: dict[int, Annotated[int, Field(ge=0, le=16)]] = field(default_factory=dict)
    pool_kernel: Literal[2, 3] = POOL_KERNEL
    contrast_norm: bool = True
    one_column: bool = False


def apply_changes(table: tuple[Layer, ...], changes: Changes) -> list[Layer]:
    """Return a table of layers with the changes of a variant."""
    kept: list[Layer] = []
    for layer in table:
        if layer.number not in changes.remove:
            kept.append(_change_layer(layer, changes))
        elif isinstance(layer, Conv) and "pool" in layer.then and kept:
            kept[-1] = _pooled(kept[-1])
    return kept


def _pooled(layer: Layer) -> Layer:
    """Return the layer followed by a pool: conv4 by that of conv5, so that fc6 still sees 6 x 6 positions."""
    if not isinstance(layer, Conv) or "pool" in layer.then:
        return layer
    return layer._replace(then=(*layer.then, "pool"))


def _change_layer(layer: Layer, changes: Changes) -> Layer:
    if isinstance(layer, Full):
        return layer._replace(units=changes.units or layer.units)
    return layer._replace(
        maps=changes.maps.get(layer.number, layer.maps),
        padding=changes.paddings.get(layer.number, layer.padding),
        groups=1 if changes.one_column else layer.groups,
        then=tuple(kind for kind in layer.then if kind != "norm" or changes.contrast_norm),
    )


def scale(layer: Layer, width: float) -> Layer:
    """Scale maps or units to a multiple of 4, which two groups divide evenly; width 1 changes nothing."""
    if width == 1:
        return layer
    count = max(4, 4 * round((layer.maps if isinstance(layer, Conv) else layer.units) * width / 4))
    return layer._replace(maps=count) if isinstance(layer, Conv) else layer._replace(units=count)
