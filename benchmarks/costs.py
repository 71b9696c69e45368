"""Cost of an update, counted from the architecture: floating-point operations and memory traffic.

A multiplication and an addition count as two operations. In the backward pass every learned layer does twice its
forward work, once for the gradient of its weights and once for that of its input; the first layer needs no input
gradient.
"""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from zfnet.nets.architecture import Architecture, OpSpec

BF16, FP32 = 2, 4  # bytes
MATERIAL = ("conv", "pool", "norm", "linear")  # operations whose output is written to memory; the others are fused


class Product(NamedTuple):
    """`groups` matrix products: (rows, inner) times (inner, columns)."""

    groups: int
    rows: int
    inner: int
    columns: int


def products(net: Architecture, batch: int) -> Iterator[Product]:
    """Yield the matrix products of an update, a convolution as the product of its windows and its filters."""
    learned = [spec for spec in net.plan() if spec.kind in ("conv", "linear")]
    for spec in learned:
        groups, outputs = spec.options.get("groups", 1), spec.shape[0]
        rows, columns = batch * prod(spec.shape[1:]), outputs // groups
        inner = _weights(spec) // outputs  # fan-in
        yield Product(groups, rows, inner, columns)  # forward
        yield Product(groups, inner, rows, columns)  # gradient of the weights
        if spec is not learned[0]:
            yield Product(groups, rows, columns, inner)  # gradient of the input


def forward_flops(net: Architecture) -> int:
    """Return the operations of the learned layers for one image, forward."""
    return sum(map(_flops, net.plan()))


def training_flops(net: Architecture) -> int:
    """Return the operations of the learned layers for one image, forward and backward."""
    first = next(_flops(spec) for spec in net.plan() if spec.kind == "conv")
    return 3 * forward_flops(net) - first


def image_bytes(net: Architecture) -> int:
    """Return the least memory traffic per image, bytes: bf16 outputs and gradients, each written and read once."""
    return 4 * BF16 * sum(prod(spec.shape) for spec in net.plan() if spec.kind in MATERIAL)


def weight_bytes(net: Architecture) -> int:
    """Return the least memory traffic of the weights per update, bytes.

    SGD reads weight, gradient and momentum and writes weight and momentum. The backward pass writes the gradient. The
    weight is cast to bf16, and the forward and backward pass each read it.
    """
    weights = sum(_weights(spec) for spec in net.plan())
    return weights * (6 * FP32 + (FP32 + BF16) + 2 * BF16)


def _flops(spec: OpSpec) -> int:
    positions = prod(spec.shape[1:])  # 1 for a linear layer
    return 2 * positions * _weights(spec)


def _weights(spec: OpSpec) -> int:
    """Return the number of weights; biases cost next to nothing."""
    options = spec.options
    if spec.kind == "linear":
        return options["in_features"] * options["out_features"]
    if spec.kind == "conv":
        return options["in_channels"] // options["groups"] * options["kernel_size"] ** 2 * options["out_channels"]
    return 0
