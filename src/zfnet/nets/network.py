"""A graph of named operations whose intermediate values have names; the nets of the papers are chains.

Operations are in the order in which they run, each with the numbers of the operations whose outputs it takes. `forward`
is the fast path. `iter_forward` computes the same numbers and yields the inputs, output and switches of each operation;
`trace` keeps them all. Neither uses hooks, so the modules are never modified.
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


IMAGES = -1  # the source of the operations that take the images


class Operation(NamedTuple):
    """A named module and the operations that feed it.

    The kinds of the papers' nets are pad, conv, relu, pool, average, norm, flatten, linear and dropout; foreign nets
    have those of `zfnet.nets.graph_operations`, too.
    """

    name: str
    kind: str
    module: Any  # the nn.Module of that kind
    sources: tuple[int, ...] = ()  # indices of operations, or IMAGES; empty: the operation before this one


class OpRecord(NamedTuple):
    """The inputs and output of one operation in a forward pass."""

    operation: Operation
    inputs: tuple[Tensor, ...]
    output: Tensor
    switches: Tensor | None  # max pools only: int64, index of each maximum in the flattened (H, W) plane of `input`

    @property
    def input(self) -> Tensor:
        """The first input, which for most operations is the only one."""
        return self.inputs[0]


class Trace(NamedTuple):
    """All intermediate values of a forward pass.

    Attributes
    ----------
    activations : output of each named layer (`conv1` is taken after its ReLU, `fc8` is the logits).
    switches : switches of each max pool, by operation name; int64, index into the flattened (H, W) plane of its input.
    inputs : first input of each operation, by operation name.
    """

    activations: dict[str, Tensor]
    switches: dict[str, Tensor]
    inputs: dict[str, Tensor]


class Network(nn.Module):
    """A graph of operations with named outputs.

    Attributes
    ----------
    architecture : Architecture, or None for an adapted foreign net.
    operations : list of Operation, in order.
    layers : name of each public activation -> index of the operation that outputs it, in the order of the operations.
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
        self.operations, self.layers = _with_sources(operations), dict(layers)
        self.crop, self.size, self.classes, self.architecture = crop, size, classes, architecture
        self._ended = _last_uses(self.operations)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(3, size, size))
        for operation in self.operations:
            _register(self, operation.name, operation.module)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits, float (B, classes), of float (B, 3, crop, crop), mean-subtracted, RGB 0..255."""
        values = {IMAGES: images}
        for index, operation in enumerate(self.operations):
            values[index] = operation.module(*[values[source] for source in operation.sources])
            for ended in self._ended[index]:
                del values[ended]
        return values[len(self.operations) - 1]

    def iter_forward(self, images: Tensor, upto: str | None = None) -> Iterator[OpRecord]:
        """Run operation by operation, up to and including layer `upto`; keep only values that are still needed."""
        values = {IMAGES: images}  # (B, 3, H, W)
        for index, operation in enumerate(self.operations[: self._end(upto)]):
            inputs = tuple(values[source] for source in operation.sources)
            values[index], switches = _apply(operation, inputs)
            for ended in self._ended[index]:
                del values[ended]
            yield OpRecord(operation, inputs, values[index], switches)

    def trace(self, images: Tensor, upto: str | None = None) -> Trace:
        """Run up to and including layer `upto` and keep every intermediate value."""
        trace = Trace({}, {}, {})
        outputs = []
        for record in self.iter_forward(images, upto):
            outputs.append(record.output)
            trace.inputs[record.operation.name] = record.input
            if record.switches is not None:
                trace.switches[record.operation.name] = record.switches
        trace.activations.update({name: outputs[index] for name, index in self.layers.items() if index < len(outputs)})
        return trace

    def ancestors(self, index: int) -> set[int]:
        """Return the operations on which the output of operation `index` depends, itself included."""
        found = {index}
        for later in range(index, -1, -1):
            if later in found:
                found.update(source for source in self.operations[later].sources if source != IMAGES)
        return found

    def _end(self, upto: str | None) -> int:
        if upto is None:
            return len(self.operations)
        require_known(upto, list(self.layers), "layer")
        return self.layers[upto] + 1


def _apply(operation: Operation, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None]:
    if operation.kind != "pool":
        return operation.module(*inputs), None
    pool = operation.module
    return F.max_pool2d(
        inputs[0], pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode, return_indices=True
    )


def _with_sources(operations: Sequence[Operation]) -> list[Operation]:
    """Let an operation without sources take the output of the one before it."""
    return [
        operation if operation.sources else operation._replace(sources=(index - 1,))
        for index, operation in enumerate(operations)
    ]


def _last_uses(operations: Sequence[Operation]) -> list[list[int]]:
    """Return for each operation the values that no later one takes, which can be freed once it has run."""
    last = {source: index for index, operation in enumerate(operations) for source in operation.sources}
    ended: list[list[int]] = [[] for _ in operations]
    for source, index in last.items():
        ended[index].append(source)
    return ended


def _register(net: nn.Module, name: str, module: nn.Module) -> None:
    """Register a module under its name; dots make it a part of a part, as in the net that it comes from."""
    *outer, last = name.split(".")
    for part in outer:
        part = _free(net, part)
        if part not in net._modules:
            net.add_module(part, nn.Module())
        net = net.get_submodule(part)
    net.add_module(_free(net, last), module)


def _free(net: nn.Module, part: str) -> str:
    """Return the name of a part, with "_" if it is that of an attribute, such as `layers` or `mean`."""
    return part if part in net._modules or not hasattr(net, part) else _free(net, f"{part}_")


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
