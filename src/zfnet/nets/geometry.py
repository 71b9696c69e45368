"""Receptive fields: size, stride and offset, in input pixels, of what the units of each layer see.

Both papers mean by the field of a layer that of its convolution; pooling widens it further (27 pixels for conv2 of
the ZF net, 43 for pool2). The overhang padding of D2 adds nothing on the left or top of conv1, so the first field of
conv1 starts at pixel 0.

Where branches meet, a unit sees what it sees through any of them: the smallest window around all of their fields.

In adapted nets the fields of a layer may be rectangular, unevenly spaced or unknown (rectangular windows, adaptive
averages over windows of unequal size, interpolation, attention). Such units get the whole crop as their field, and so
do those that see the whole image through one branch, such as the gate of squeeze and excitation.
"""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any, NamedTuple, cast

from torch import nn

from zfnet.core.suggest import require_known
from zfnet.nets.network import IMAGES, Network, Operation

POINTWISE = {"relu", "rectifier", "batchnorm", "scale", "add", "multiply", "dropout", "norm", "linear", "concatenate"}
POINTWISE_MODULES = (nn.Sigmoid, nn.Hardsigmoid, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.ELU, nn.SELU, nn.Tanh)


class Field(NamedTuple):
    """Receptive fields of one layer, in input pixels, equal along both axes.

    The field of unit (row, column) starts at pixel (offset + stride * row, offset + stride * column).

    Attributes
    ----------
    size : side of a unit's field, which may extend beyond the input.
    stride : distance between the fields of neighbouring units (fully connected layers: size).
    offset : first row and column of the first unit's field; negative where the net pads.
    map : side of the feature map, in units (1 for fully connected layers).
    """

    size: int
    stride: int
    offset: int
    map: int


def stage_output(net: Network, layer: str) -> str:
    """Return the name of the final activation of a layer, after its pool and norm (D32).

    Parameters
    ----------
    layer : a convolutional or fully connected layer: in the ZF net "conv1" gives "norm1", "conv3" itself.

    Raises
    ------
    ZfnetError
        The net has no such layer.
    """
    require_known(layer, list(net.layers), "layer")
    number = layer.lstrip(ascii_lowercase)
    stage = [name for name in net.layers if name.lstrip(ascii_lowercase) == number]  # conv5 and pool5
    return max(stage, key=net.layers.__getitem__)


def receptive_fields(net: Network) -> dict[str, Field]:
    """Return the receptive field of every named layer of `net`, in the order of the layers."""
    axes: dict[int, list[Field]] = {IMAGES: [Field(1, 1, 0, net.crop)] * 2}
    for index, operation in enumerate(net.operations):
        inputs = [axes[source] for source in operation.sources]
        axes[index] = [
            _after(operation, _union([fields[axis] for fields in inputs], net.crop), axis, net.crop) for axis in (0, 1)
        ]
    return {name: _square(axes[index][0], axes[index][1], net.crop) for name, index in net.layers.items()}


def _square(rows: Field, columns: Field, crop: int) -> Field:
    return rows if rows == columns else Field(crop, 0, 0, rows.map)


def _union(fields: Sequence[Field], crop: int) -> Field:
    """Return the smallest field around those of several inputs; the whole crop if they are spaced differently."""
    first = fields[0]
    if all(field == first for field in fields):
        return first
    map_side = max(field.map for field in fields)
    if any((field.stride, field.map) != (first.stride, first.map) for field in fields):
        return Field(crop, 0, 0, map_side)
    offset = min(field.offset for field in fields)
    return Field(max(field.offset + field.size for field in fields) - offset, first.stride, offset, map_side)


def _after(operation: Operation, field: Field, axis: int, crop: int) -> Field:
    if operation.kind == "pad":
        before, after = operation.module.padding[2 - 2 * axis : 4 - 2 * axis]  # (left, right, top, bottom)
        return field._replace(offset=field.offset - before * field.stride, map=field.map + before + after)
    if isinstance(operation.module, nn.AdaptiveAvgPool2d):
        # The windows have unequal sizes: stride 0 gives all of them the whole map.
        return Field(_whole_map(field), 0, field.offset, _along(cast(Any, operation.module.output_size), axis))
    if operation.kind in ("conv", "pool", "average"):
        return _after_window(operation.module, field, axis)
    if operation.kind == "flatten":
        return Field(_whole_map(field), _whole_map(field), field.offset, 1)
    if operation.kind in POINTWISE or isinstance(operation.module, POINTWISE_MODULES):
        return field
    return Field(crop, 0, 0, field.map)


def _whole_map(field: Field) -> int:
    """Return the extent, in pixels, of the fields of all units of a map."""
    return field.size + (field.map - 1) * field.stride


def _after_window(module: Any, field: Field, axis: int) -> Field:
    """Slide a window over a map: an output unit sees the union of the fields of the `kernel` units in its window."""
    kernel, stride, padding = (_along(value, axis) for value in (module.kernel_size, module.stride, module.padding))
    kernel = 1 + (kernel - 1) * _along(getattr(module, "dilation", 1), axis)  # extent of the dilated window
    return Field(
        field.size + (kernel - 1) * field.stride,
        field.stride * stride,
        field.offset - padding * field.stride,
        _windows(field.map, kernel, stride, padding, getattr(module, "ceil_mode", False)),
    )


def _windows(side: int, kernel: int, stride: int, padding: int, ceil: bool) -> int:
    """Count the windows along one side, as torch does; in ceil mode none may start in the right-hand padding."""
    room = side + 2 * padding - kernel
    windows = 1 + (-(-room // stride) if ceil else room // stride)
    return windows - 1 if ceil and (windows - 1) * stride >= side + padding else windows


def _along(value: int | tuple[int, ...], axis: int) -> int:
    return value if isinstance(value, int) else value[axis]
