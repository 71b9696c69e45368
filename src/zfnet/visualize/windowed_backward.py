"""The backward pass from a single position, computed only where it is not zero: the pixels of `backproject`, faster.

One activation reaches a few units of the layer below, then a few more, and in the image only its receptive field: for
layer 5 of the ZF net this takes a fifth of the multiplications of whole maps. Each image carries its own window from
layer to layer, of the same size for all images and placed at its activation. Once the windows are as large as the maps,
or an operation has no windowed form, the pass continues on whole maps.

Receptive-field arithmetic, along one axis: output i of a window of k units at stride s with padding p reads the inputs
i s - p … i s - p + k - 1. So n outputs starting at i come from (n - 1) s + k inputs starting at i s - p. Going back,
these are the size and the corner of the next window.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfnet.nets.network import OpRecord
from zfnet.visualize.backward import DECONVNET, Rule, backproject, unpool, vjp

_FEW = 16  # maps; a transposed convolution to fewer leaves most SIMD lanes unused
_WINDOWED = {"relu", "conv", "pool", "norm", "dropout", "pad"}  # kinds of operations with a windowed form


class Window(NamedTuple):
    """One part of the maps for each image; values beyond the edge of the map are 0."""

    values: Tensor  # float (B, C, h, w)
    corner: Tensor  # int64 (B, 2), row and column of the first value in the map; may be negative


class WindowedBackward:
    """The backward pass from many positions after one forward pass.

    Parameters
    ----------
    records : the forward pass, from `zfnet.visualize.backward.forward_trace`.
    rule : the rule of the backward pass.
    """

    def __init__(self, records: Sequence[OpRecord], rule: Rule = DECONVNET) -> None:
        self.records, self.rule = records, rule
        self._reindexed: dict[tuple[str, int], Tensor] = {}  # (pool, width of the window) -> its switches

    @torch.no_grad()
    def backproject(self, signal: Tensor) -> Tensor:
        """Propagate `signal` back to the first record's input, as `zfnet.visualize.backward.backproject` does.

        Parameters
        ----------
        signal : shaped like the last record's output, nonzero at one position of each image at most (in any maps).
        """
        if signal.ndim != 4 or self.rule.overlap != "add" or not self.rule.switches or not _is_chain(self.records):
            return backproject(self.records, signal, self.rule)
        window, size, remaining = _nonzero_position(signal), signal.shape[2:], list(self.records)
        while remaining and remaining[-1].operation.kind in _WINDOWED and _is_smaller(window, remaining[-1].output):
            size = remaining[-1].input.shape[2:]
            window = self._reverse(remaining.pop(), window)
        return backproject(remaining, paste(window, size), self.rule)

    def _reverse(self, record: OpRecord, window: Window) -> Window:
        """Reverse one operation; may overwrite the values of `window`."""
        module, (values, corner) = record.operation.module, window
        match record.operation.kind:
            case "relu":
                return Window(_rectify(record, window, self.rule), corner)
            case "conv":
                first = corner * _pair_like(module.stride, corner) - _pair_like(module.padding, corner)
                return _zero_outside(Window(_transpose(values, module), first), record)
            case "pool":
                return self._unpool(record, window)
            case "pad":
                left, _, top, _ = module.padding
                return _zero_outside(Window(values, corner - _pair_like((top, left), corner)), record)
            case "norm" if not self.rule.skip_norm:
                return Window(vjp(module, cut_out(record.input, window), values)[0], corner)
        return window  # dropout, or a norm that is skipped

    def _unpool(self, record: OpRecord, window: Window) -> Window:
        """Unpool inside the windows, with switches that count from the corner of the new window."""
        pool, (values, corner) = record.operation.module, window
        stride, kernel = _pair(pool.stride), _pair(pool.kernel_size)
        first = corner * _pair_like(stride, corner) - _pair_like(pool.padding, corner)
        height, width = ((n - 1) * s + k for n, s, k in zip(values.shape[2:], stride, kernel, strict=True))
        local = cut_out(self._switches(record, width), window)  # (B, C, h, w), row * width + column in the map
        local -= (first[:, 0] * width + first[:, 1])[:, None, None, None]  # the same in the new window
        # A window position beyond the edge of the map has value 0, so its clamped switch adds 0 somewhere.
        local = local.clamp_(0, height * width - 1)
        return Window(unpool(values, local, (height, width)), first)  # (B, C, height, width)

    def _switches(self, record: OpRecord, width: int) -> Tensor:
        """Return the switches as indices into rows of `width`, which all windows share, so this is computed once.

        A switch is row * W + column of the map; in rows of `width` it becomes row * width + column.
        """
        key = record.operation.name, width
        if key not in self._reindexed:
            assert record.switches is not None  # a max pool records them
            map_width = record.input.shape[3]
            self._reindexed[key] = record.switches + (record.switches // map_width) * (width - map_width)
        return self._reindexed[key]


def _is_chain(records: Sequence[OpRecord]) -> bool:
    return all(record.operation.sources == (index - 1,) for index, record in enumerate(records))


def backproject_windowed(records: Sequence[OpRecord], signal: Tensor, rule: Rule = DECONVNET) -> Tensor:
    """Propagate `signal`, nonzero at one position of each image at most, back to the first record's input."""
    return WindowedBackward(records, rule).backproject(signal)


def _nonzero_position(signal: Tensor) -> Window:
    """Return the 1 × 1 window at the nonzero position of each image."""
    place = signal.abs().amax(1).flatten(1).argmax(1)  # (B,)
    values = signal.flatten(2).gather(2, place[:, None, None].expand(-1, signal.shape[1], 1))  # (B, C, 1)
    return Window(values[..., None], torch.stack([place // signal.shape[3], place % signal.shape[3]], 1))


def _is_smaller(window: Window, output: Tensor) -> bool:
    return window.values.shape[2] < output.shape[2] and window.values.shape[3] < output.shape[3]


def _rectify(record: OpRecord, window: Window, rule: Rule) -> Tensor:
    """Do what `zfnet.visualize.backward.rectify` does, in place: allocating memory costs more than the comparison."""
    values = window.values.mul_(cut_out(record.output, window) > 0) if rule.mask else window.values
    return values.clamp_(min=0) if rule.rectify else values


def _transpose(values: Tensor, conv: nn.Conv2d) -> Tensor:
    """Apply the adjoint of a convolution, without bias: (B, M, h, w) -> (B, C, (h - 1) s + k, (w - 1) s + k)."""
    if conv.in_channels < _FEW and conv.groups == 1 and set(_pair(conv.dilation)) == {1}:
        return _transpose_to_few(values, conv.weight, *_pair(conv.stride))
    return F.conv_transpose2d(values, conv.weight, None, conv.stride, 0, 0, conv.groups, conv.dilation)


def _transpose_to_few(values: Tensor, weight: Tensor, down: int, across: int) -> Tensor:
    """Compute a transposed convolution to a few maps (colours) as a plain one, three times faster.

    Every stride-th row and column of the result is a plain convolution with every stride-th row and column of the
    filters. These stride × stride phases become the output maps of one convolution, and are interleaved afterwards.
    """
    height = weight.shape[2] + (values.shape[2] - 1) * down
    width = weight.shape[3] + (values.shape[3] - 1) * across
    weight = F.pad(weight, (0, -weight.shape[3] % across, 0, -weight.shape[2] % down))  # sides: multiples of the stride
    phases = weight.unflatten(3, (-1, across)).unflatten(2, (-1, down))  # (M, C, k, down, l, across)
    filters = phases.permute(1, 3, 5, 0, 2, 4).flip(4, 5).flatten(0, 2)  # (C down across, M, k, l)
    stacked = F.conv2d(values, filters, padding=(filters.shape[2] - 1, filters.shape[3] - 1))  # (B, C d a, h, w)
    stacked = stacked.unflatten(1, (-1, down, across)).permute(0, 1, 4, 2, 5, 3)  # (B, C, h, down, w, across)
    return stacked.flatten(4, 5).flatten(2, 3)[:, :, :height, :width].contiguous()  # (B, C, height, width)


def cut_out(maps: Tensor, window: Window) -> Tensor:
    """Return the part of maps (B, C, H, W) under each window; beyond the edge, the values at the edge."""
    rows, columns = (_lines(window, axis).clamp(0, maps.shape[2 + axis] - 1) for axis in (0, 1))
    place = (rows[:, :, None] * maps.shape[3] + columns[:, None]).flatten(1)  # (B, h w)
    values = maps.flatten(2).gather(2, place[:, None].expand(-1, maps.shape[1], -1))  # (B, C, h w)
    return values.unflatten(2, (rows.shape[1], columns.shape[1]))  # (B, C, h, w)


def paste(window: Window, size: Sequence[int]) -> Tensor:
    """Return whole maps (B, C, H, W) that are 0 outside the windows."""
    values, corners = window
    count, channels, height, width = values.shape
    maps = values.new_zeros(count, channels, *size)
    for image, (row, column) in enumerate(corners.tolist()):
        rows = slice(max(row, 0), max(min(row + height, size[0]), 0))
        columns = slice(max(column, 0), max(min(column + width, size[1]), 0))
        part = values[image, :, max(-row, 0) :, max(-column, 0) :]
        target = maps[image, :, rows, columns]
        target.copy_(part[:, : target.shape[1], : target.shape[2]])
    return maps


def _zero_outside(window: Window, record: OpRecord) -> Window:
    """Set the values beyond the edge of the record's input to 0: they belong to the padding."""
    size = record.input.shape[2:]
    rows, columns = (_is_valid(_lines(window, axis), size[axis]) for axis in (0, 1))
    return Window(window.values.mul_((rows[:, :, None] & columns[:, None])[:, None]), window.corner)


def _lines(window: Window, axis: int) -> Tensor:
    """Return the rows (axis 0) or columns (axis 1) of the map that each window covers: int64 (B, n)."""
    along = torch.arange(window.values.shape[2 + axis], device=window.corner.device)
    return window.corner[:, axis, None] + along


def _is_valid(lines: Tensor, count: int) -> Tensor:
    return (lines >= 0) & (lines < count)


def _pair_like(value: int | tuple[int, int], like: Tensor) -> Tensor:
    return torch.tensor(_pair(value), device=like.device)


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
