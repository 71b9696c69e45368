"""Adapt foreign nets: any torch.nn.Module that computes class scores from images becomes a `Network`.

Its graph is read by `zfnet.nets.graph_trace`; running both nets then checks that they compute the same. Layers of a net
with branches or shortcuts keep the names of its own modules (`layer3.1.conv2`; `layer3` is the last operation inside
it). Layers of a plain chain are numbered as in the paper (`zfnet.nets.chain_names`).
"""

import re
from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from zfnet.core.colours import rgb_image, rgb_vector
from zfnet.core.errors import ZfnetError, first_line
from zfnet.nets.chain_names import fold_batch_norms, is_chain, name_chain
from zfnet.nets.graph_operations import Scale
from zfnet.nets.graph_trace import GraphStep, read_graph
from zfnet.nets.network import IMAGES, Network, Operation


def adapt(
    module: nn.Module,
    crop: int,
    mean: Tensor | Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    bgr: bool = False,
) -> Network:
    """Convert a net to a `Network` of named operations, without modifying the original.

    Parameters
    ----------
    module : takes images, float (B, 3, crop, crop), and returns class scores (B, classes), alone or as the first of
        several outputs.
    crop : side of the input, pixels.
    mean : float (3, S, S) or three numbers, RGB 0..255, that the caller subtracts from the images; None: zeros.
    std : three numbers, RGB 0..255, if the net was trained on images divided by them. The division becomes part of the
        net, so that the adapted net takes mean-subtracted RGB 0..255 as ours do.
    bgr : the net was trained on images whose channels are blue, green, red. `mean` and `std` remain in the order R, G,
        B, as the images of the adapted net.

    Returns
    -------
    Network
        In eval mode, with its own copy of the weights; `save` and `load` handle it like our own nets.

    Raises
    ------
    ZfnetError
        The net cannot be adapted (the message names the place), or `mean` and `std` are no grey levels.

    Examples
    --------
    >>> net = adapt(torchvision.models.resnet50(), 224, (123.7, 116.3, 103.5), (58.4, 57.1, 57.4))  # doctest: +SKIP
    """
    mean_image = _mean_image(mean, crop)
    _require_grey_levels(mean, std)
    images = _noise(module, crop)
    logits = _original_output(module, images)
    steps = read_graph(deepcopy(module).eval(), images)
    if steps[-1].output.ndim != 2:
        shape = tuple(steps[-1].output.shape)
        raise ZfnetError(f"The net ends with an output of shape {shape}; expected one number per class.")
    if is_chain(steps):
        operations, layers = name_chain(fold_batch_norms(steps))
    else:
        operations, layers = _own_names(steps)
    if std is not None or bgr:
        operations, layers = _with_preparation(operations, layers, [1.0, 1.0, 1.0] if std is None else std, bgr)
    net = Network(operations, layers, crop, mean_image.shape[1], logits.shape[1]).eval()
    _require_equal(module, net, images, logits, std, bgr)
    net.mean.copy_(mean_image)
    return net


def _noise(module: nn.Module, crop: int) -> Tensor:
    """Return the same two random inputs on every call, on the module's device and of its type."""
    images = torch.randn(2, 3, crop, crop, generator=torch.Generator().manual_seed(0))
    first = next((one for one in module.parameters() if one.is_floating_point() and not one.is_meta), images)
    return images.to(first.device, first.dtype)


def _mean_image(mean: Tensor | Sequence[float] | None, crop: int) -> Tensor:
    values = torch.as_tensor([0.0, 0.0, 0.0] if mean is None else mean, dtype=torch.float32)
    if values.shape == (3,):
        return rgb_image(values, round(crop * 256 / 224), "mean")
    if values.ndim == 3 and values.shape[0] == 3 and values.shape[1] == values.shape[2] >= crop:
        return values
    raise ZfnetError(f"The mean has shape {tuple(values.shape)}; expected 3 numbers or (3, S, S), S at least {crop}.")


def _require_grey_levels(mean: Tensor | Sequence[float] | None, std: Sequence[float] | None) -> None:
    """Refuse numbers such as torchvision's, which are fractions of white."""
    for name, values in (("mean", mean), ("std", std)):
        numbers = torch.as_tensor([] if values is None else values, dtype=torch.float32).flatten()
        if numbers.numel() and numbers.any() and numbers.abs().max() < 1:
            raise ZfnetError(
                f"{name} = {[round(value, 4) for value in numbers[:3].tolist()]}: these are fractions of white (0..1), "
                "expected grey levels (0..255); multiply both mean and std by 255."
            )


@torch.no_grad()
def _original_output(module: nn.Module, images: Tensor) -> Tensor:
    """Run the original net; the result shows what the adapted one has to compute."""
    try:
        output = deepcopy(module).eval()(images.clone())
    except Exception as error:
        channels = re.search(r"expected input.* to have (\d+) channels, but got 3", str(error))
        if channels:
            raise ZfnetError(
                f"{type(module).__name__} takes images of {channels[1]} channel(s); images here have 3 (RGB). Put a "
                f"convolution in front: nn.Sequential(nn.Conv2d(3, {channels[1]}, 1), net), with weights 1/3 for grey."
            ) from None
        raise ZfnetError(
            f"{type(module).__name__} itself fails on inputs {tuple(images.shape)}: {first_line(error)}. Give the crop "
            "with which it was trained."
        ) from None
    while isinstance(output, (tuple, list, dict)) and output:
        output = next(iter(output.values())) if isinstance(output, dict) else output[0]
    if not isinstance(output, Tensor) or output.ndim != 2:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ZfnetError(f"The net ends with an output of shape {shape}; expected one number per class.")
    return output


# ---- names -----------------------------------------------------------------------------------------------------------


def _own_names(steps: Sequence[GraphStep]) -> tuple[list[Operation], dict[str, int]]:
    """Name operations as the net does, and give each module around them the name of its last operation."""
    operations: list[Operation] = []
    layers: dict[str, int] = {}
    for index, step in enumerate(steps):
        operations.append(Operation(*step[:4]))
        if _is_layer(step.output):
            layers |= {path: index for path in (*step.around, step.name)}
    return operations, dict(sorted(layers.items(), key=lambda layer: layer[1]))


def _is_layer(output: Tensor) -> bool:
    """Return whether an output has maps (2, C, H, W) or units (2, C)."""
    return output.ndim in (2, 4) and len(output) == 2


# ---- preprocessing ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def _with_preparation(
    operations: Sequence[Operation], layers: dict[str, int], std: Sequence[float], bgr: bool
) -> tuple[list[Operation], dict[str, int]]:
    """Divide by `std` and put the channels in the net's order: W (x / std) = (W / std) x, or an operation in front."""
    first = next((operation for operation in operations if operation.kind not in ("pad", "pool")), operations[0])
    before = operations[: operations.index(first)]
    alone = sum(IMAGES in operation.sources for operation in operations) <= 1
    if first.kind == "conv" and alone and first.module.groups == 1 and _runs_once(operations, first, len(before)):
        weight = first.module.weight
        order = weight.flip(1) if bgr else weight.clone()
        weight.copy_(order / rgb_vector(std, "std", weight.dtype).to(weight.device)[:, None, None])
        return list(operations), layers
    scale = Scale(3, bgr)
    scale.factor = 1 / rgb_vector(std, "std", scale.factor.dtype)
    later = [
        one._replace(sources=tuple(source + 1 for source in one.sources or (index - 1,)))
        for index, one in enumerate(operations)
    ]
    front = Operation("preparation1", "scale", scale, (IMAGES,))
    return [front, *later], {name: index + 1 for name, index in layers.items()}


def _runs_once(operations: Sequence[Operation], first: Operation, index: int) -> bool:
    """Return whether nothing else takes the first operation's input or shares its weights."""
    users = [one for number, one in enumerate(operations) if index - 1 in (one.sources or (number - 1,))]
    return len(users) == 1 and sum(one.module is first.module for one in operations) == 1


@torch.no_grad()
def _require_equal(
    module: nn.Module, net: Network, images: Tensor, theirs: Tensor, std: Sequence[float] | None, bgr: bool
) -> None:
    """Compare the outputs of both nets, which reveals what a trace cannot see."""
    scale = 1.0 if std is None else rgb_vector(std, "std", images.dtype).to(images.device)[:, None, None]
    ours = net.to(images.device)((images.flip(1) if bgr else images) * scale)
    tolerance = 1e-4 * float(ours.nan_to_num().abs().max())
    if theirs.shape != ours.shape or not torch.allclose(theirs, ours, rtol=1e-3, atol=tolerance, equal_nan=True):
        raise ZfnetError(
            f"{type(module).__name__} computes something else than its graph: its forward method may use random "
            "numbers, change its own state, or decide by the values of its input. Such a net cannot be adapted."
        )
