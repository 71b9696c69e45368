"""The backward pass from a unit to the pixels: deconvnet, guided backpropagation and gradient are one routine.

Zeiler & Fergus section 2.1: keep one activation, set everything else to zero, then unpool, rectify and filter down to
the image. Filters are transposed without their biases, and the pixels themselves are not rectified. The three published
methods differ in how they pass a ReLU and a contrast normalisation. A `Rule` states this as flags, after the table of
Mahendran & Vedaldi 2016.

Decisions: D14 (contrast normalisation is skipped), D15 (values of overlapping pooling windows are added), D16 (the ReLU
acts on the reconstruction). Each operation is reversed explicitly, without hooks, so in-place and shared ReLUs do no
harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfnet.core.errors import ZfnetError
from zfnet.nets.graph_operations import Call
from zfnet.nets.network import IMAGES, Network, Operation, OpRecord

Overlap = Literal["add", "overwrite", "keep-max"]


@dataclass(frozen=True)
class Rule:
    """How a backward pass treats ReLUs, pools and contrast normalisations."""

    mask: bool  # ReLU: pass only where the forward input was positive
    rectify: bool  # ReLU: pass only the positive part of the backward signal
    switches: bool  # pooling: to the recorded maximum (else to the centre of the window)
    skip_norm: bool  # contrast normalisation: identity (else its true derivative)
    overlap: Overlap = "add"  # values of windows with the same maximum: add them (else a control, D15)


DECONVNET = Rule(mask=False, rectify=True, switches=True, skip_norm=True)
RULES = {
    "deconvnet": DECONVNET,
    "guided": Rule(mask=True, rectify=True, switches=True, skip_norm=True),
    "gradient": Rule(mask=True, rectify=False, switches=True, skip_norm=False),
    # Controls: each differs from the deconvnet in one step.
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
        In eval mode; ours, or one adapted by `zfnet.nets.adapt`.
    images : Tensor
        float (B, 3, H, W), mean-subtracted, RGB 0..255.
    layer : str
        A name in `net.layers`, such as "conv5".
    unit : int or sequence of int (B,)
        Map of a convolutional layer or unit of a fully connected one: one for all images, or one for each.
    position : (row, column), Tensor int (B, 2) or None
        Place in the map; None takes the map's maximum in each image. Ignored in fully connected layers.
    rule : str or Rule
        A name in `RULES`, or a rule of your own.

    Returns
    -------
    activation : Tensor
        float (B,).
    pixels : Tensor
        float (B, 3, H, W), signed. The backward pass starts from the activation itself.

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
    records = forward_trace(net, images, layer)
    activation, signal = select_unit(records[-1].output, unit, position)
    return activation, backproject(records, signal, rule)


def find_rule(rule: str | Rule) -> Rule:
    """Return the rule of this name; a `Rule` is returned as it is."""
    if isinstance(rule, Rule):
        return rule
    if rule not in RULES:
        raise ZfnetError(f"There is no backward rule {rule!r}; choose one of {', '.join(RULES)}.")
    return RULES[rule]


@torch.no_grad()
def forward_trace(net: Network, images: Tensor, layer: str) -> list[OpRecord]:
    """Run forward up to `layer` and keep what the backward pass needs: inputs, outputs and switches."""
    return list(net.iter_forward(images, layer))


@torch.no_grad()
def backproject(records: Sequence[OpRecord], signal: Tensor, rule: Rule = DECONVNET) -> Tensor:
    """Propagate `signal`, shaped like the last record's output, back to the images.

    Where an output goes to several operations, their signals are added, as in the chain rule.

    Raises
    ------
    ZfnetError
        The signal comes to an operation for which the rule is not defined.
    """
    signals = {len(records) - 1: signal}
    for index in range(len(records) - 1, -1, -1):
        if index in signals:
            record = records[index]
            parts = reverse(record, signals.pop(index), rule)
            for source, part in zip(record.operation.sources, parts, strict=True):
                signals[source] = signals[source] + part if source in signals else part
    return signals[IMAGES] if IMAGES in signals else torch.zeros_like(records[0].input)


def select_unit(output: Tensor, unit: Any, position: Any = None, value: float | None = None) -> tuple[Tensor, Tensor]:
    """Keep one activation of each image and set everything else to zero (step 2 of section 2.1).

    Parameters
    ----------
    output : float (B, C, H, W) or (B, C).
    unit, position : as in `project`.
    value : replaces the activation in `signal`; None: keep it.

    Returns
    -------
    activation : float (B,).
    signal : shaped like `output`, zero except at the selected unit.
    """
    planes = output.flatten(2) if output.ndim > 2 else output.unsqueeze(2)  # (B, C, positions)
    batch = torch.arange(len(planes), device=planes.device)
    unit = _require_in_range(_one_per_image(unit, batch), planes.shape[1], "unit")
    rows = planes[batch, unit]  # (B, positions)
    place = rows.argmax(1) if position is None or output.ndim == 2 else _flat_index(position, output)
    signal = torch.zeros_like(planes, memory_format=torch.contiguous_format)
    activation = rows[batch, place]  # (B,)
    signal[batch, unit, place] = activation if value is None else value
    return activation, signal.reshape(output.shape)


def unpool(pooled: Tensor, switches: Tensor, size: Sequence[int], overlap: Overlap = "add") -> Tensor:
    """Put each pooled value back where it came from (Zeiler & Fergus, section 2.1).

    The windows are 3 wide with stride 2, so they overlap and one pixel may be the maximum of several. Its values are
    *added*, which makes this the exact adjoint of max pooling with fixed switches (D15). `keep-max` keeps the largest
    of them, and `overwrite` that of the last window; `F.max_unpool2d` does so on a CPU and keeps any of them on a GPU.

    Parameters
    ----------
    pooled : float (B, C, h, w).
    switches : int64 (B, C, h, w), indices into the flattened (H, W) plane.
    size : (H, W).

    Returns
    -------
    Tensor
        float (B, C, H, W).
    """
    flat = pooled.new_zeros(*pooled.shape[:2], size[0] * size[1])
    indices, values = switches.flatten(2), pooled.flatten(2)  # (B, C, h w)
    if overlap == "add":
        flat.scatter_add_(2, indices, values)
    elif overlap == "keep-max":
        flat.scatter_reduce_(2, indices, values, "amax", include_self=False)
    else:
        flat.scatter_add_(2, indices, torch.where(_is_last(indices, flat.shape[2]), values, 0))
    return flat.unflatten(2, size)  # (B, C, H, W)


def _is_last(indices: Tensor, pixels: int) -> Tensor:
    """Return which windows are the last ones at their pixel: int64 (B, C, N), below `pixels` -> bool (B, C, N)."""
    order = torch.arange(indices.shape[2], device=indices.device).expand_as(indices)
    last = order.new_zeros(*indices.shape[:2], pixels).scatter_reduce_(2, indices, order, "amax")
    return last.gather(2, indices) == order


def transpose(signal: Tensor, conv: nn.Conv2d, size: Sequence[int]) -> Tensor:
    """Apply the adjoint of a convolution, without bias: float (B, M, h, w) -> (B, C, *size).

    A strided convolution gives the same number of outputs for several input sizes: the last n - (span of the windows)
    rows reach no window. The adjoint must return them as zeros, so their number is passed as `output_padding`.
    """
    padding = cast(tuple[int, int], conv.padding)  # `adapt` replaces a name such as "same" by numbers
    geometry = zip(size, signal.shape[2:], conv.kernel_size, conv.stride, padding, conv.dilation, strict=True)
    # m windows of dilated extent d (k - 1) + 1 at stride s span (m - 1) s + d (k - 1) + 1 pixels, 2 p of them padding.
    unread = [n - ((m - 1) * s - 2 * p + d * (k - 1) + 1) for n, m, k, s, p, d in geometry]
    return F.conv_transpose2d(signal, conv.weight, None, conv.stride, padding, unread, conv.groups, conv.dilation)


def rectify(signal: Tensor, output: Tensor, rule: Rule) -> Tensor:
    """Pass a ReLU backwards.

    The forward mask comes from the ReLU's output, which is positive exactly where its input was, and which an in-place
    ReLU does not destroy.
    """
    if rule.mask:
        signal = signal * (output > 0)
    return signal.clamp(min=0) if rule.rectify else signal


def vjp(module: nn.Module, inputs: Tensor | Sequence[Tensor], signal: Tensor) -> tuple[Tensor, ...]:
    """Return `signal` times the Jacobian of `module` at its inputs, one for each; for a linear module its adjoint."""
    with torch.enable_grad():
        leaves = [x.detach().requires_grad_() for x in ([inputs] if isinstance(inputs, Tensor) else inputs)]
        # The gradient of the scalar <module(x), signal>: passing `signal` as grad_outputs makes torch import sympy,
        # which takes seconds.
        parts = torch.autograd.grad((module(*leaves) * signal).sum(), leaves, allow_unused=True)
    return tuple(torch.zeros_like(x) if part is None else part for x, part in zip(leaves, parts, strict=True))


def reverse(record: OpRecord, signal: Tensor, rule: Rule) -> tuple[Tensor, ...]:
    """Propagate `signal` back through one operation: one signal for each of its inputs."""
    operation, size = record.operation, record.input.shape[2:]
    match operation.kind:
        case "relu":
            return (rectify(signal, record.output, rule),)
        case "rectifier":
            signal = signal.clamp(min=0) if rule.rectify else signal
            return vjp(operation.module, record.inputs, signal) if rule.mask else (signal,)
        case "activation":
            _require_defined(operation, rule)
        case "conv":
            return (transpose(signal, operation.module, size),)
        case "pool" if rule.switches:
            assert record.switches is not None  # a max pool records them
            return (unpool(signal, record.switches, size, rule.overlap),)
        case "pool":
            return (unpool(signal, window_centres(operation.module, record), size, rule.overlap),)
        case "linear":
            return (signal @ operation.module.weight,)  # (B, out) -> (B, in)
        case "batchnorm":
            return (signal * normalisation_scale(operation.module, signal),)
        case "dropout":
            return (signal,)
        case "norm" if rule.skip_norm:
            # The ECCV version says that contrast normalisation is not used here, arXiv v3 does not mention it (D14).
            # The signal is a reconstruction, not a derivative; `RULES["norm"]` shows the difference.
            return (signal,)
    # norm; sums, joins, pad, flatten and average, which are linear; products and other functions
    return vjp(operation.module, record.inputs, signal)


def is_defined(operation: Operation, rule: Rule) -> bool:
    """Return whether a rule says what to do with an operation: rectification is meant for rectifiers."""
    return operation.kind != "activation" or (rule.mask and not rule.rectify)


def _require_defined(operation: Operation, rule: Rule) -> None:
    if not is_defined(operation, rule):
        raise ZfnetError(
            f"{operation.name} is no rectifier ({_type_of(operation.module)}), so the deconvnet and guided "
            "backpropagation, which rectify the signal at each ReLU, are not defined for this net. Use --rule gradient "
            '(rule="gradient"); saliency, occlude and maximize work, too.'
        )


def _type_of(module: nn.Module) -> str:
    if isinstance(module, Call):
        target = module.step.target
        return target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)
    return type(module).__name__


def normalisation_scale(norm: Any, like: Tensor) -> Tensor:
    """Return the factors of a batch normalisation at evaluation, for maps or units `like`: (C, 1, 1) or (C,)."""
    scale = (norm.running_var + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight
    return scale.reshape(-1, *[1] * (like.ndim - 2)).to(like.dtype)


def window_centres(pool: nn.MaxPool2d, record: OpRecord) -> Tensor:
    """Return switches that point to the middle of each window, moved inside the map if it lies beyond the edge."""
    lines = []
    for axis in (0, 1):
        options = pool.kernel_size, pool.stride, pool.padding, pool.dilation
        kernel, stride, padding, dilation = (_pair(value)[axis] for value in options)
        first = torch.arange(record.output.shape[2 + axis], device=record.output.device) * stride - padding
        middle = first + kernel // 2 * dilation
        lines.append(middle.clamp(0, record.input.shape[2 + axis] - 1))
    plane = lines[0][:, None] * record.input.shape[3] + lines[1]  # (h, w)
    return plane.expand(record.output.shape)  # (B, C, h, w)


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _one_per_image(value: Any, batch: Tensor) -> Tensor:
    """Expand one index for all images to one index per image, (B,)."""
    return torch.as_tensor(value, device=batch.device).expand_as(batch)


def _flat_index(position: Any, output: Tensor) -> Tensor:
    """Convert (row, column) to an index into the flattened plane, (B,)."""
    height, width = output.shape[2:]
    place = torch.as_tensor(position, device=output.device).expand(len(output), 2)
    rows, columns = _require_in_range(place[:, 0], height, "row"), _require_in_range(place[:, 1], width, "column")
    return rows * width + columns


def _require_in_range(index: Tensor, count: int, kind: str) -> Tensor:
    if index.numel() and not (index.min() >= 0 and index.max() < count):
        raise ZfnetError(f"There is no {kind} {index.tolist()}; expected 0 to {count - 1}.")
    return index
