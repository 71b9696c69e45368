"""Cost of an update, counted from the architecture: floating-point operations and memory traffic.

A multiplication and an addition count as two operations. In the backward pass every learned layer does twice its
forward work, once for the gradient of its weights and once for that of its input; the first layer needs no input
gradient.
"""

from math import prod

from zfnet.nets.architecture import Architecture, Planned

BF16, FP32 = 2, 4  # bytes
MATERIAL = ("conv", "pool", "norm", "linear")  # operations whose output is written to memory; the others are fused


def forward_flops(net: Architecture) -> int:
    """Return the operations of the learned layers for one image, forward."""
    return sum(map(_flops, net.plan()))


def training_flops(net: Architecture) -> int:
    """Return the operations of the learned layers for one image, forward and backward."""
    first = next(_flops(planned) for planned in net.plan() if planned.kind == "conv")
    return 3 * forward_flops(net) - first


def image_bytes(net: Architecture) -> int:
    """Return the least memory traffic per image, bytes: bf16 outputs and gradients, each written and read once."""
    return 4 * BF16 * sum(prod(planned.shape) for planned in net.plan() if planned.kind in MATERIAL)


def weight_bytes(net: Architecture) -> int:
    """Return the least memory traffic of the weights per update, bytes.

    SGD reads weight, gradient and momentum and writes weight and momentum. The backward pass writes the gradient. The
    weight is cast to bf16, and the forward and backward pass each read it.
    """
    weights = sum(_weights(planned) for planned in net.plan())
    return weights * (6 * FP32 + (FP32 + BF16) + 2 * BF16)


def _flops(planned: Planned) -> int:
    positions = prod(planned.shape[1:])  # 1 for a linear layer
    return 2 * positions * _weights(planned)


def _weights(planned: Planned) -> int:
    """Return the number of weights; biases cost next to nothing."""
    options = planned.options
    if planned.kind == "linear":
        return options["in_features"] * options["out_features"]
    if planned.kind == "conv":
        return options["in_channels"] // options["groups"] * options["kernel_size"] ** 2 * options["out_channels"]
    return 0
