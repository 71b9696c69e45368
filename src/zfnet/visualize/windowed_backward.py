"""The way back from a single place, computed only where there is anything: the same pixels as `descend`, faster.

One activation reaches a few units of the layer below, then a few more, and only its receptive field in the picture: for
layer 5 of the ZF net a fifth of the multiplications of whole maps. Each image carries its own window, of the same size
for all and placed where its activation is, from layer to layer; once the windows are as large as the maps, or a step is
met that has no windows, whole maps go on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfnet.nets.network import Step
from zfnet.visualize.backward import DECONVNET, Rule, derivative, descend, unpool

_FEW = 16  # maps; fewer leave most lanes of the processor empty in a transposed convolution
_KINDS = {"relu", "conv", "pool", "norm", "dropout", "pad"}


class Window(NamedTuple):
    """Parts of maps, one an image; what hangs over the edge of a map is 0."""

    values: Tensor  # float (B, C, h, w)
    corner: Tensor  # int64 (B, 2), row and column of the first value in the map; may be negative


class WayBack:
    """The way back from many places after one forward pass.

    Parameters
    ----------
    steps : what `zfnet.visualize.backward.record` gives.
    rule : the flags of the way back.
    """

    def __init__(self, steps: Sequence[Step], rule: Rule = DECONVNET) -> None:
        self.steps, self.rule = steps, rule
        self._turned: dict[tuple[str, int], Tensor] = {}  # switches of a pool for windows of a width

    @torch.no_grad()
    def descend(self, start: Tensor) -> Tensor:
        """Carry `start` back to the first step's input, as `zfnet.visualize.backward.descend` does.

        Parameters
        ----------
        start : shaped as the last step's output, nonzero at one place of each image at most (in any maps).
        """
        if start.ndim != 4 or self.rule.overlap != "add" or not self.rule.switches:
            return descend(self.steps, start, self.rule)
        window, size, left = _single(start), start.shape[2:], list(self.steps)
        while left and left[-1].operation.kind in _KINDS and _smaller(window, left[-1].output):
            size = left[-1].input.shape[2:]
            window = self._reverse(left.pop(), window)
        return descend(left, paste(window, size), self.rule)

    def _reverse(self, step: Step, window: Window) -> Window:
        """Go back by a step; the values of `window` may be overwritten."""
        module, (values, corner) = step.operation.module, window
        match step.operation.kind:
            case "relu":
                return Window(_rectify(step, window, self.rule), corner)
            case "conv":
                low = corner * _pair(module.stride, corner) - _pair(module.padding, corner)
                return _inside(Window(_transpose(values, module), low), step)
            case "pool":
                return self._unpool(step, window)
            case "pad":
                left, _, top, _ = module.padding
                return _inside(Window(values, corner - _pair((top, left), corner)), step)
            case "norm" if not self.rule.skip_norm:
                return Window(derivative(module, cut_out(step.input, window), values), corner)
        return window  # dropout, and a norm that is skipped

    def _unpool(self, step: Step, window: Window) -> Window:
        """Unpool inside the windows: the switches count from the window's corner."""
        pool, (values, corner) = step.operation.module, window
        stride, kernel = _each(pool.stride), _each(pool.kernel_size)
        low = corner * _pair(stride, corner) - _pair(pool.padding, corner)
        height, width = ((n - 1) * s + k for n, s, k in zip(values.shape[2:], stride, kernel, strict=True))
        local = cut_out(self._switches(step, width), window)
        local -= (low[:, 0] * width + low[:, 1])[:, None, None, None]
        # Values over the edge are 0 and may be added anywhere.
        local = local.clamp_(0, height * width - 1)
        return Window(unpool(values, local, (height, width)), low)

    def _switches(self, step: Step, width: int) -> Tensor:
        """Switches as if the map were `width` wide: the same for all windows, so that they are turned once."""
        key = step.operation.name, width
        if key not in self._turned:
            across = step.input.shape[3]
            self._turned[key] = step.switches + (step.switches // across) * (width - across)
        return self._turned[key]


def descend_narrow(steps: Sequence[Step], start: Tensor, rule: Rule = DECONVNET) -> Tensor:
    """Carry `start`, nonzero at one place of each image at most, back to the first step's input."""
    return WayBack(steps, rule).descend(start)


def _single(start: Tensor) -> Window:
    """The one place of each image that is not 0."""
    place = start.abs().amax(1).flatten(1).argmax(1)  # (B,)
    values = start.flatten(2).gather(2, place[:, None, None].expand(-1, start.shape[1], 1))
    return Window(values[..., None], torch.stack([place // start.shape[3], place % start.shape[3]], 1))


def _smaller(window: Window, output: Tensor) -> bool:
    return window.values.shape[2] < output.shape[2] and window.values.shape[3] < output.shape[3]


def _rectify(step: Step, window: Window, rule: Rule) -> Tensor:
    """As `zfnet.visualize.backward.rectify`, in place: new memory costs more than the comparison."""
    values = window.values.mul_(cut_out(step.output, window) > 0) if rule.mask else window.values
    return values.clamp_(min=0) if rule.rectify else values


def _transpose(values: Tensor, conv: nn.Conv2d) -> Tensor:
    """Apply conv's adjoint, without bias, to all that the windows reach."""
    if conv.in_channels < _FEW and conv.groups == 1 and set(_each(conv.dilation)) == {1}:
        return _transpose_to_few(values, conv.weight, *_each(conv.stride))
    return F.conv_transpose2d(values, conv.weight, None, conv.stride, 0, 0, conv.groups, conv.dilation)


def _transpose_to_few(values: Tensor, weight: Tensor, down: int, across: int) -> Tensor:
    """A transposed convolution to a few maps (colours) as a plain one, three times faster.

    Every stride-th row and column of the result is a convolution with every stride-th row and column of the filters:
    they are so many maps of one convolution, woven together afterwards.
    """
    height = weight.shape[2] + (values.shape[2] - 1) * down
    width = weight.shape[3] + (values.shape[3] - 1) * across
    weight = F.pad(weight, (0, -weight.shape[3] % across, 0, -weight.shape[2] % down))
    parts = weight.unflatten(3, (-1, across)).unflatten(2, (-1, down))  # (M, C, k, down, l, across)
    filters = parts.permute(1, 3, 5, 0, 2, 4).flip(4, 5).flatten(0, 2)  # (C down across, M, k, l)
    woven = F.conv2d(values, filters, padding=(filters.shape[2] - 1, filters.shape[3] - 1))
    woven = woven.unflatten(1, (-1, down, across)).permute(0, 1, 4, 2, 5, 3)  # (B, C, h, down, w, across)
    return woven.flatten(4, 5).flatten(2, 3)[:, :, :height, :width].contiguous()


def cut_out(maps: Tensor, window: Window) -> Tensor:
    """The part of maps (B, C, H, W) under each window; over the edge, what lies at the edge."""
    rows, columns = (_lines(window, axis).clamp(0, maps.shape[2 + axis] - 1) for axis in (0, 1))
    place = (rows[:, :, None] * maps.shape[3] + columns[:, None]).flatten(1)  # (B, h w)
    found = maps.flatten(2).gather(2, place[:, None].expand(-1, maps.shape[1], -1))
    return found.unflatten(2, (rows.shape[1], columns.shape[1]))


def paste(window: Window, size: Sequence[int]) -> Tensor:
    """Whole maps (B, C, H, W) that are 0 but for the windows."""
    values, corners = window
    count, channels, height, width = values.shape
    whole = values.new_zeros(count, channels, *size)
    for image, (row, column) in enumerate(corners.tolist()):
        rows = slice(max(row, 0), max(min(row + height, size[0]), 0))
        columns = slice(max(column, 0), max(min(column + width, size[1]), 0))
        part = values[image, :, max(-row, 0) :, max(-column, 0) :]
        target = whole[image, :, rows, columns]
        target.copy_(part[:, : target.shape[1], : target.shape[2]])
    return whole


def _inside(window: Window, step: Step) -> Window:
    """Set what hangs over the edge of the step's input to 0."""
    size = step.input.shape[2:]
    rows, columns = (_valid(_lines(window, axis), size[axis]) for axis in (0, 1))
    return Window(window.values.mul_((rows[:, :, None] & columns[:, None])[:, None]), window.corner)


def _lines(window: Window, axis: int) -> Tensor:
    """Rows (axis 0) or columns (axis 1) of the map that each window covers: int64 (B, n)."""
    along = torch.arange(window.values.shape[2 + axis], device=window.corner.device)
    return window.corner[:, axis, None] + along


def _valid(lines: Tensor, count: int) -> Tensor:
    return (lines >= 0) & (lines < count)


def _pair(value: int | tuple[int, int], like: Tensor) -> Tensor:
    return torch.tensor(_each(value), device=like.device)


def _each(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
