"""Where a layer ends, and where in the input its units look: size, stride and place of its receptive field.

Both papers call the field of a layer what its convolution sees; pooling widens it further (27 pixels for conv2 of
the ZF net, 43 after its pool). With the overhang padding of D2 nothing is padded on the left or top of layer 1, so
the first field of conv1 begins at pixel 0.

In foreign nets the fields of a layer may differ in size or lie unevenly (rectangular windows, averages over windows of
unequal size). No square says where such a unit looks, so its field is the whole crop.
"""

from typing import NamedTuple

from torch import nn

from zfnet.core.errors import ZfnetError
from zfnet.nets.network import Network, Operation


class Field(NamedTuple):
    """Receptive fields of one layer, in input pixels; the same along both axes.

    Attributes
    ----------
    size : side of a unit's field. It may reach over the border of the input.
    stride : step between the fields of neighbouring units (for fully connected layers: size).
    offset : first row and column of the first unit's field; negative where the net pads.
    map : units along one side of a map (1 for fully connected layers).

    Examples
    --------
    The field of unit (row, column) begins at `offset + stride * row`, `offset + stride * column`.
    """

    size: int
    stride: int
    offset: int
    map: int


def stage_output(net: Network, layer: int | str) -> str:
    """Name the activation in which a whole layer ends, after its pool and norm (D32).

    Parameters
    ----------
    layer : the paper's number: 1 of the ZF net ends in "norm1", 3 in "conv3", 7 in "fc7".

    Raises
    ------
    ZfnetError
        The net has no such layer.
    """
    names = [name for name in net.layers if name.rstrip("0123456789") + str(layer) == name]
    if not names:
        raise ZfnetError(f"The net has no layer {layer}; it has {', '.join(net.layers)}.")
    return max(names, key=net.layers.__getitem__)


def receptive_fields(net: Network) -> dict[str, Field]:
    """Receptive field of every named layer of `net`, in order of the layers."""
    names = {index: name for name, index in net.layers.items()}
    axes, fields = [Field(1, 1, 0, net.crop)] * 2, {}
    for index, operation in enumerate(net.operations):
        axes = [_after(operation, field, axis) for axis, field in enumerate(axes)]
        if index in names:
            fields[names[index]] = axes[0] if axes[0] == axes[1] else Field(net.crop, 0, 0, axes[0].map)
    return fields


def _after(operation: Operation, field: Field, axis: int) -> Field:
    if operation.kind == "pad":
        before, after = operation.module.padding[2 - 2 * axis : 4 - 2 * axis]  # (left, right, top, bottom)
        return field._replace(offset=field.offset - before * field.stride, map=field.map + before + after)
    if isinstance(operation.module, nn.AdaptiveAvgPool2d):
        return Field(
            field.size + (field.map - 1) * field.stride, 0, field.offset, _along(operation.module.output_size, axis)
        )
    if operation.kind in ("conv", "pool", "average"):
        return _slid(operation.module, field, axis)
    if operation.kind == "flatten":
        size = field.size + (field.map - 1) * field.stride
        return Field(size, size, field.offset, 1)
    return field


def _slid(module: nn.Module, field: Field, axis: int) -> Field:
    """A window of `kernel` units, moved by `stride` of them, sees the union of their fields."""
    kernel, stride, padding = (_along(value, axis) for value in (module.kernel_size, module.stride, module.padding))
    kernel = 1 + (kernel - 1) * _along(getattr(module, "dilation", 1), axis)
    return Field(
        field.size + (kernel - 1) * field.stride,
        field.stride * stride,
        field.offset - padding * field.stride,
        _windows(field.map, kernel, stride, padding, getattr(module, "ceil_mode", False)),
    )


def _windows(side: int, kernel: int, stride: int, padding: int, ceil: bool) -> int:
    room = side + 2 * padding - kernel
    windows = 1 + (-(-room // stride) if ceil else room // stride)
    return windows - 1 if ceil and (windows - 1) * stride >= side + padding else windows  # none begins beyond the edge


def _along(value: int | tuple[int, ...], axis: int) -> int:
    return value if isinstance(value, int) else value[axis]
