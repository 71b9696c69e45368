"""The way back from a unit to the pixels: deconvnet, guided backpropagation and gradient as one routine of four flags.

Zeiler & Fergus section 2.1: keep one activation, set everything else to zero, then unpool, rectify and filter down to
the image. Filters are transposed without their biases, and nothing rectifies the pixels themselves. The three published
methods differ in how they pass a ReLU and in what they do about contrast normalisation (the table of flags
follows Mahendran & Vedaldi 2016).

Decisions: D14 (contrast normalisation is skipped), D15 (values of overlapping pooling windows are added), D16 (the ReLU
acts on the reconstruction). The stages are written out, without hooks: in-place and shared ReLUs cannot do harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfnet.core.errors import ZfnetError
from zfnet.nets.network import Network, Step

Overlap = Literal["add", "overwrite", "keep-max"]


@dataclass(frozen=True)
class Rule:
    """What a backward pass does on its way from a unit to the pixels."""

    mask: bool  # ReLU: pass only where the forward input was positive
    rectify: bool  # ReLU: pass only the positive part of the backward signal
    switches: bool  # pooling: back to the recorded maximum (else to the window's centre)
    skip_norm: bool  # contrast normalisation: identity (else its true derivative)
    overlap: Overlap = "add"  # a pixel that won several windows: sum of their values; the others are controls (D15)


DECONVNET = Rule(mask=False, rectify=True, switches=True, skip_norm=True)
RULES = {
    "deconvnet": DECONVNET,
    "guided": Rule(mask=True, rectify=True, switches=True, skip_norm=True),
    "gradient": Rule(mask=True, rectify=False, switches=True, skip_norm=False),
    # Controls: what the figures would be if one step were done otherwise.
    "forward-mask": Rule(mask=True, rectify=False, switches=True, skip_norm=True),  # the footnote of ECCV (C41)
    "no-relu": replace(DECONVNET, rectify=False),
    "centre": replace(DECONVNET, switches=False),
    "norm": replace(DECONVNET, skip_norm=False),
    "overwrite": replace(DECONVNET, overlap="overwrite"),
    "keep-max": replace(DECONVNET, overlap="keep-max"),
}


@torch.no_grad()
def project(
    net: Network,
    images: Tensor,
    layer: str,
    unit: int | Sequence[int] | Tensor,
    position: tuple[int, int] | Tensor | None = None,
    rule: str | Rule = "deconvnet",
) -> tuple[Tensor, Tensor]:
    """Project one activation of each image back to pixels.

    Parameters
    ----------
    net : Network
        In eval mode; also what `zfnet.nets.adapt` gives.
    images : Tensor
        float (B, 3, H, W), mean-subtracted, RGB 0..255.
    layer : str
        A name of `net.layers`, such as "conv5".
    unit : int or sequence of int (B,)
        Map of a convolutional layer or unit of a fully connected one, for all images or one each.
    position : (row, column), Tensor int (B, 2) or None
        Place in the map; None takes the map's maximum in each image. Ignored in fully connected layers.
    rule : str or Rule
        A name of `RULES`, or flags of your own.

    Returns
    -------
    activation : Tensor
        float (B,).
    pixels : Tensor
        float (B, 3, H, W), signed, started from the activation itself.

    Raises
    ------
    ZfnetError
        There is no such layer, unit, position or rule.

    Examples
    --------
    >>> from zfnet.nets import build
    >>> net = build("zf", classes=20, width=1 / 8, crop=112).eval()
    >>> activation, pixels = project(net, torch.rand(2, 3, 112, 112), "conv5", unit=[3, 7])
    >>> pixels.shape
    torch.Size([2, 3, 112, 112])
    """
    rule = find_rule(rule)
    steps = record(net, images, layer)
    activation, start = single_out(steps[-1].output, unit, position)
    return activation, descend(steps, start, rule)


def find_rule(rule: str | Rule) -> Rule:
    """Look a rule up by name."""
    if isinstance(rule, Rule):
        return rule
    if rule not in RULES:
        raise ZfnetError(f"There is no backward rule {rule!r}; choose one of {', '.join(RULES)}.")
    return RULES[rule]


@torch.no_grad()
def record(net: Network, images: Tensor, layer: str) -> list[Step]:
    """Run forward up to `layer` and keep what the way back needs: sizes, switches, ReLU outputs, norm inputs."""
    return list(net.walk(images, layer))


@torch.no_grad()
def descend(steps: Sequence[Step], signal: Tensor, rule: Rule = DECONVNET) -> Tensor:
    """Carry `signal`, shaped as the last step's output, back to the first step's input."""
    for step in reversed(steps):
        signal = _reverse(step, signal, rule)
    return signal


def single_out(output: Tensor, unit: Any, position: Any = None, value: float | None = None) -> tuple[Tensor, Tensor]:
    """Keep one activation of each image and set everything else to zero (step 2 of section 2.1).

    Returns
    -------
    activation : float (B,);  start : zeros like `output` but for the activation, or `value` in its place.
    """
    planes = output.flatten(2) if output.ndim > 2 else output.unsqueeze(2)  # (B, C, positions)
    batch = torch.arange(len(planes), device=planes.device)
    unit = _checked(_each(unit, batch), planes.shape[1], "unit")
    rows = planes[batch, unit]  # (B, positions)
    place = rows.argmax(1) if position is None or output.ndim == 2 else _flat(position, output)
    start = torch.zeros_like(planes, memory_format=torch.contiguous_format)
    activation = rows[batch, place]
    start[batch, unit, place] = activation if value is None else value
    return activation, start.reshape(output.shape)


def unpool(pooled: Tensor, switches: Tensor, size: tuple[int, int], overlap: Overlap = "add") -> Tensor:
    """Put each pooled value back where it came from (Zeiler & Fergus, section 2.1).

    Where pooling windows overlap one pixel may win several of them; its values are *added*, which makes this the exact
    adjoint of max pooling (D15). `overwrite` keeps the last of them and `keep-max` the largest.

    Parameters
    ----------
    pooled : float (B, C, h, w).
    switches : int64 (B, C, h, w), indices into the flattened (H, W) plane.
    size : (H, W).
    """
    flat = pooled.new_zeros(*pooled.shape[:2], size[0] * size[1])
    where, values = switches.flatten(2), pooled.flatten(2)
    if overlap == "add":
        flat.scatter_add_(2, where, values)
    elif overlap == "keep-max":
        flat.scatter_reduce_(2, where, values, "amax", include_self=False)
    else:
        flat.scatter_(2, where, values)
    return flat.unflatten(2, size)  # (B, C, H, W)


def transpose(signal: Tensor, conv: nn.Conv2d, size: tuple[int, int]) -> Tensor:
    """Apply conv's adjoint, without bias, back to the recorded size: stride leaves the last rows ambiguous."""
    geometry = zip(size, signal.shape[2:], conv.kernel_size, conv.stride, conv.padding, conv.dilation, strict=True)
    spare = [n - ((m - 1) * s - 2 * p + d * (k - 1) + 1) for n, m, k, s, p, d in geometry]
    return F.conv_transpose2d(signal, conv.weight, None, conv.stride, conv.padding, spare, conv.groups, conv.dilation)


def rectify(signal: Tensor, forward: Tensor, rule: Rule) -> Tensor:
    """Pass a ReLU backwards. Its output is positive where its input was, and survives an in-place ReLU."""
    if rule.mask:
        signal = signal * (forward > 0)
    return signal.clamp(min=0) if rule.rectify else signal


def derivative(module: nn.Module, value: Tensor, signal: Tensor) -> Tensor:
    """Multiply `signal` by the transposed Jacobian of `module` at `value`; of a linear one this is the adjoint."""
    with torch.enable_grad():
        value = value.detach().requires_grad_()
        # As a sum, since torch imports sympy (seconds) when it is given the signal itself.
        return torch.autograd.grad((module(value) * signal).sum(), value)[0]


def _reverse(step: Step, signal: Tensor, rule: Rule) -> Tensor:
    operation, size = step.operation, step.input.shape[2:]
    match operation.kind:
        case "relu":
            return rectify(signal, step.output, rule)
        case "conv":
            return transpose(signal, operation.module, size)
        case "pool":
            switches = step.switches if rule.switches else centres(operation.module, step)
            return unpool(signal, switches, size, rule.overlap)
        case "linear":
            return signal @ operation.module.weight
        case "dropout":
            return signal
        case "norm" if rule.skip_norm:
            return signal
        case _:  # norm; pad, flatten and average, which are linear
            return derivative(operation.module, step.input, signal)


def centres(pool: nn.MaxPool2d, step: Step) -> Tensor:
    """Switches that point to the middle of each window, moved inside where the window hangs over the edge."""
    lines = []
    for axis in (0, 1):
        options = pool.kernel_size, pool.stride, pool.padding, pool.dilation
        kernel, stride, padding, dilation = (_pair(value)[axis] for value in options)
        first = torch.arange(step.output.shape[2 + axis], device=step.output.device) * stride - padding
        middle = first + kernel // 2 * dilation
        lines.append(middle.clamp(0, step.input.shape[2 + axis] - 1))
    plane = lines[0][:, None] * step.input.shape[3] + lines[1]  # (h, w)
    return plane.expand(step.output.shape)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _each(value: Any, batch: Tensor) -> Tensor:
    """One index for each image, from one for all or one each."""
    return torch.as_tensor(value, device=batch.device).expand_as(batch)


def _flat(position: Any, output: Tensor) -> Tensor:
    height, width = output.shape[2:]
    place = torch.as_tensor(position, device=output.device).expand(len(output), 2)
    return _checked(place[:, 0], height, "row") * width + _checked(place[:, 1], width, "column")


def _checked(index: Tensor, count: int, what: str) -> Tensor:
    if index.numel() and not (index.min() >= 0 and index.max() < count):
        raise ZfnetError(f"There is no {what} {index.tolist()}; expected 0 to {count - 1}.")
    return index
