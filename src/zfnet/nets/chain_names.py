"""Plain chains of layers: numbered as in the paper, with batch normalisation folded into the layer before it.

torchvision's AlexNet has conv1 … conv5 and fc6 … fc8, VGG-16 conv1 … fc16. A layer is taken after its ReLU.

At evaluation batch normalisation is an affine map. Folding it leaves the function the same; on the way back to the
pixels its scale acts as part of the filters, and its shift is dropped like the biases.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from torch import nn

from zfnet.nets.graph_trace import GraphStep
from zfnet.nets.network import Operation

_KINDS = {"pad", "conv", "relu", "rectifier", "activation", "pool", "average", "norm", "flatten", "linear", "dropout"}
_NONLINEAR = ("relu", "rectifier", "activation")


def is_chain(steps: Sequence[GraphStep]) -> bool:
    """Return whether each step takes the output of the one before, and all have names in the paper's manner."""
    for index, step in enumerate(steps):
        before = steps[index - 1] if index else None
        folded = step.kind == "batchnorm" and before is not None and _foldable(steps, index - 1)
        if step.sources != (index - 1,) or not (step.kind in _KINDS or folded):
            return False
        if step.kind in ("activation", "linear") and step.output.ndim not in (2, 4):
            return False
    return True


def _foldable(steps: Sequence[GraphStep], index: int) -> bool:
    """Return whether a batch normalisation after this step ends in a convolution or linear layer."""
    while index > 0 and steps[index].kind == "batchnorm":
        index -= 1
    return steps[index].kind in ("conv", "linear")


def fold_batch_norms(steps: Sequence[GraphStep]) -> list[GraphStep]:
    """Fold every batch normalisation of a chain into the layer before it."""
    folded: list[GraphStep] = []
    for step in steps:
        if step.kind == "batchnorm":
            folded[-1] = folded[-1]._replace(module=_fold(step.module, folded[-1].module))
        else:
            folded.append(step)
    return folded


def _fold(norm: Any, before: nn.Module) -> nn.Module:
    """Fold a batch normalisation into a layer.

    gamma (W x + b - mean) / sqrt(var + eps) + beta = (scale W) x + (scale b + beta - scale mean),
    scale = gamma / sqrt(var + eps)
    """
    layer: Any = deepcopy(before)  # the original may be used again without this normalisation
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale + (0 if norm.bias is None else norm.bias.double())
    bias = shift if layer.bias is None else shift + layer.bias.double() * scale
    weight = layer.weight.double() * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    layer.weight = nn.Parameter(weight.to(layer.weight.dtype))
    layer.bias = nn.Parameter(bias.to(layer.weight.dtype))
    return layer


def name_chain(steps: Sequence[GraphStep]) -> tuple[list[Operation], dict[str, int]]:
    """Name operations after the layer they belong to; the output of a layer is taken after its ReLU."""
    operations: list[Operation] = []
    layers: dict[str, int] = {}
    number, learned = 0, ""  # learned: the convolution or linear layer of this number
    for index, step in enumerate(steps):
        if step.kind in ("conv", "linear"):
            number += 1
            learned = f"{'conv' if step.kind == 'conv' else 'fc'}{number}"
        layer = learned if step.kind in ("conv", "linear", *_NONLINEAR) else f"{step.kind}{number}"
        taken = {operation.name for operation in operations}
        name = _unused_name(f"relu{number}" if step.kind in _NONLINEAR else layer, taken)
        operations.append(Operation(name, step.kind, step.module))
        if step.kind in ("conv", "linear", "pool", "average", "norm") or (step.kind in _NONLINEAR and learned):
            layers[layer if step.kind in _NONLINEAR else name] = index  # it takes over the name of its convolution
    return operations, layers


def _unused_name(name: str, taken: set[str]) -> str:
    """Return `pool2`, or `pool2b` if layer 2 has a second pool."""
    candidates = (name, *(f"{name}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz"))
    return next(candidate for candidate in candidates if candidate not in taken)
