"""A chain of named operations, built from an `Architecture`, whose intermediate values are named as in the paper.

`forward` is the fast path. `iter_forward` computes the same numbers and yields the input, output and switches of each
operation; `trace` keeps them all. Neither uses hooks, so the modules are never modified.
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
    """A named module; `kind` is pad, conv, relu, pool, average, norm, flatten, linear or dropout."""

    name: str
    kind: str
    module: Any  # the nn.Module of that kind


class OpRecord(NamedTuple):
    """The input and output of one operation in a forward pass."""

    operation: Operation
    input: Tensor
    output: Tensor
    switches: Tensor | None  # max pools only: int64, index of each maximum in the flattened (H, W) plane of `input`


class Trace(NamedTuple):
    """All intermediate values of a forward pass.

    Attributes
    ----------
    activations : output of each named layer (`conv1` is taken after its ReLU, `fc8` is the logits).
    switches : switches of each max pool, by operation name; int64, index into the flattened (H, W) plane of its input.
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
    layers : name of each public activation -> index of the operation that outputs it.
    crop, size, classes : side of the input, side of the mean image, number of outputs.
    mean : float32 (3, size, size), RGB 0..255; a persistent buffer, zero until training sets it.
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
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(3, size, size))

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits, float (B, classes), of float (B, 3, crop, crop), mean-subtracted, RGB 0..255."""
        for operation in self.operations:
            images = operation.module(images)
        return images

    def iter_forward(self, images: Tensor, upto: str | None = None) -> Iterator[OpRecord]:
        """Run operation by operation, up to and including layer `upto`, without keeping any intermediate value."""
        x = images  # (B, 3, H, W)
        for operation in self.operations[: self._end(upto)]:
            output, switches = _apply(operation, x)
            yield OpRecord(operation, x, output, switches)
            x = output

    def trace(self, images: Tensor, upto: str | None = None) -> Trace:
        """Run up to and including layer `upto` and keep every intermediate value."""
        trace = Trace({}, {}, {})
        names = {index: name for name, index in self.layers.items()}
        for index, record in enumerate(self.iter_forward(images, upto)):
            trace.inputs[record.operation.name] = record.input
            if index in names:
                trace.activations[names[index]] = record.output
            if record.switches is not None:
                trace.switches[record.operation.name] = record.switches
        return trace

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
    **options : classes=1000, width=1.0, crop=224, size=None (side of the mean image; None: crop * 256 / 224),
        norm_alpha="over_n", dropout=0.5, and changes such as remove=(3, 4), units=2048, maps={3: 512}
        (see `zfnet.nets.architecture.Changes`).

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
    operations = [Operation(spec.name, spec.kind, _MODULES[spec.kind](**spec.options)) for spec in plan]
    layers = {spec.layer: index for index, spec in enumerate(plan) if spec.layer}
    return Network(operations, layers, architecture.crop, architecture.size, architecture.classes, architecture)


def parameters(net: nn.Module) -> int:
    """Count the parameters of a net."""
    return sum(parameter.numel() for parameter in net.parameters())
