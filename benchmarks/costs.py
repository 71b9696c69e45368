"""What an update costs, counted from the architecture: floating-point operations, and bytes that must move.

A multiplication and an addition are two operations. On the way back every learned layer does twice its forward work,
once for its weights and once for its input; the first layer has no input to differentiate.
"""

from math import prod

from zfnet.nets.architecture import Architecture, Planned

BF16, FP32 = 2, 4  # bytes
MATERIAL = ("conv", "pool", "norm", "linear")  # operations whose output is written; the others fuse with them


def forward_flops(net: Architecture) -> int:
    """Operations of the learned layers for one image."""
    return sum(map(_flops, net.plan()))


def training_flops(net: Architecture) -> int:
    """Operations of the learned layers for one image, forward and back."""
    first = next(_flops(planned) for planned in net.plan() if planned.kind == "conv")
    return 3 * forward_flops(net) - first


def image_bytes(net: Architecture) -> int:
    """Bytes that one image moves at least: outputs in bf16 and their gradients, each written once and read once."""
    return 4 * BF16 * sum(prod(planned.shape) for planned in net.plan() if planned.kind in MATERIAL)


def weight_bytes(net: Architecture) -> int:
    """Bytes that the weights move at least, once an update.

    SGD reads weight, gradient and momentum and writes two of them, the way back writes the gradient, and forward and
    back read the weight in bf16 after its cast.
    """
    weights = sum(_weights(planned) for planned in net.plan())
    return weights * (6 * FP32 + (FP32 + BF16) + 2 * BF16)


def _flops(planned: Planned) -> int:
    positions = prod(planned.shape[1:])  # 1 for a linear layer
    return 2 * positions * _weights(planned)


def _weights(planned: Planned) -> int:
    """Weights without biases, which cost next to nothing."""
    options = planned.options
    if planned.kind == "linear":
        return options["in_features"] * options["out_features"]
    if planned.kind == "conv":
        return options["in_channels"] // options["groups"] * options["kernel_size"] ** 2 * options["out_channels"]
    return 0
