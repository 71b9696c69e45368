"""A network that can be watched: built from data, walked operation by operation, each output under the paper's name.

`forward` is the fast path; `walk` gives the same numbers and shows the input, output and switches of every operation
as it passes. Nothing here uses hooks, so nothing stays behind.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfnet.core.suggest import require_known
from zfnet.nets.architecture import Architecture, describe
from zfnet.nets.contrast_norm import ContrastNorm

_MODULES = {
    "pad": nn.ZeroPad2d,
    "conv": nn.Conv2d,
    "relu": nn.ReLU,
    "pool": nn.MaxPool2d,
    "norm": ContrastNorm,
    "flatten": nn.Flatten,
    "linear": nn.Linear,
    "dropout": nn.Dropout,
}


class Operation(NamedTuple):
    """One step of the forward pass; `kind` is pad, conv, relu, pool, average, norm, flatten, linear or dropout."""

    name: str
    kind: str
    module: nn.Module


class Step(NamedTuple):
    """What one operation did. `switches` of a max pool: int64, position of each maximum in the flattened plane."""

    operation: Operation
    input: Tensor
    output: Tensor
    switches: Tensor | None


class Trace(NamedTuple):
    """A whole forward pass.

    Attributes
    ----------
    activations : output of each named layer (`conv1` is taken after its ReLU, `fc8` are the logits).
    switches : of each max pool, by operation name; int64, index into the flattened (H, W) plane of its input.
    inputs : input of each operation, by operation name.
    """

    activations: dict[str, Tensor]
    switches: dict[str, Tensor]
    inputs: dict[str, Tensor]


class Network(nn.Module):
    """A chain of operations with named outputs.

    Attributes
    ----------
    architecture : Architecture, or None for an adapted foreign net.
    operations : list of Operation, in order.
    layers : public activation name -> index of the operation whose output it is.
    crop, size, classes : side of the input, side of the mean image, number of outputs.
    mean : float32 (3, size, size), RGB 0..255, persistent buffer; zeros until training sets it.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        layers: Mapping[str, int],
        crop: int,
        size: int,
        classes: int,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        self.operations, self.layers = list(operations), dict(layers)
        self.crop, self.size, self.classes, self.architecture = crop, size, classes, architecture
        for operation in self.operations:
            self.add_module(operation.name, operation.module)
        self.register_buffer("mean", torch.zeros(3, size, size))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of float (B, 3, crop, crop), mean-subtracted, RGB 0..255."""
        for operation in self.operations:
            images = operation.module(images)
        return images

    def walk(self, images: Tensor, upto: str | None = None) -> Iterator[Step]:
        """Run operation by operation, up to and including layer `upto`; keeps nothing of what it yields."""
        for operation in self.operations[: self._end(upto)]:
            output, switches = _apply(operation, images)
            yield Step(operation, images, output, switches)
            images = output

    def trace(self, images: Tensor, upto: str | None = None) -> Trace:
        """Run up to and including layer `upto` and keep everything."""
        found = Trace({}, {}, {})
        names = {index: name for name, index in self.layers.items()}
        for index, step in enumerate(self.walk(images, upto)):
            found.inputs[step.operation.name] = step.input
            if index in names:
                found.activations[names[index]] = step.output
            if step.switches is not None:
                found.switches[step.operation.name] = step.switches
        return found

    def _end(self, upto: str | None) -> int:
        if upto is None:
            return len(self.operations)
        require_known(upto, list(self.layers), "layer")
        return self.layers[upto] + 1


def _apply(operation: Operation, images: Tensor) -> tuple[Tensor, Tensor | None]:
    if operation.kind != "pool":
        return operation.module(images), None
    pool = operation.module
    return F.max_pool2d(
        images, pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode, return_indices=True
    )


def build(name: str, **options: Any) -> Network:
    """Build a net from its description.

    Parameters
    ----------
    name : `zf` or `krizhevsky`.
    **options : classes=1000, width=1.0, crop=224, size=None (of the square the mean covers; crop * 256 / 224),
        norm_alpha="over_n", dropout=0.5, and the changes remove=(3, 4), units=2048, maps={3: 512}
        (see `zfnet.nets.architecture`).

    Returns
    -------
    Network
        In training mode, with torch's initial weights; `zfnet.training.init_weights` sets the paper's.

    Examples
    --------
    >>> net = build("zf", classes=20, width=1 / 8, crop=112)
    >>> net(torch.zeros(2, 3, 112, 112)).shape
    torch.Size([2, 20])
    """
    return from_architecture(describe(name, **options))


def from_architecture(architecture: Architecture) -> Network:
    """Build the net that `architecture` describes."""
    plan = architecture.plan()
    operations = [Operation(p.name, p.kind, _MODULES[p.kind](**p.options)) for p in plan]
    layers = {p.layer: index for index, p in enumerate(plan) if p.layer}
    return Network(operations, layers, architecture.crop, architecture.size, architecture.classes, architecture)


def parameters(net: nn.Module) -> int:
    """Count the learned numbers of a net."""
    return sum(parameter.numel() for parameter in net.parameters())
