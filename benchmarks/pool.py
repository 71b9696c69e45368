"""Max pooling as in the nets, channels last in bfloat16, against torch's default layout and precision.

The nets use torch's own pooling, so this shows what their layout gains, and how far it is from the limit: the time in
which the memory reads the input and writes the output and, backward, reads a gradient and writes one.
"""

from collections.abc import Iterator
from math import ceil

import torch
from torch import Tensor, nn

from benchmarks.harness import Bench, Row
from benchmarks.tensor_timing import module_milliseconds

SHAPES = ((64, 96, 110, 110), (64, 256, 26, 26))
QUICK_SHAPES = ((2, 6, 9, 9),)


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield milliseconds for forward, and for forward and backward."""
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for shape in QUICK_SHAPES if bench.quick else SHAPES:
            yield from _compare(bench, {"shape": shape, "device": device})


def _compare(bench: Bench, tensor: dict) -> Iterator[Row]:
    copy = bench.side("tensor_timing:copy_milliseconds", precision="bfloat16", **tensor).value
    for backward in (False, True):
        ours, peer = (bench.side(f"pool:{side}", backward=backward, **tensor) for side in ("ours", "default"))
        case = f"{tensor['device']}, maps {'x'.join(map(str, tensor['shape']))}"
        case += ", forward and backward" if backward else ", forward"
        limit = (2 if backward else 1) * _traffic(tensor["shape"]) * copy
        yield Row(case, ours.value, "ms", peer.value, "contiguous, float32", ours.peak_mb, limit)


def _traffic(shape: tuple[int, ...]) -> float:
    """Return the memory traffic of one pass, input and output, in copies of the input."""
    height, width = shape[2:]
    pooled = ceil((height - 3) / 2 + 1) * ceil((width - 3) / 2 + 1)
    return (1 + pooled / (height * width)) / 2


def ours(shape: list[int], device: str, backward: bool) -> float:
    """Return the milliseconds of pooling in the layout and precision of the nets."""
    x = torch.randn(shape, device=device).bfloat16()
    return _milliseconds(x.contiguous(memory_format=torch.channels_last), backward)


def default(shape: list[int], device: str, backward: bool) -> float:
    """Return the milliseconds of pooling in torch's default layout and precision."""
    return _milliseconds(torch.randn(shape, device=device), backward)


def _milliseconds(x: Tensor, backward: bool) -> float:
    return module_milliseconds(nn.MaxPool2d(3, 2, ceil_mode=True), x, backward)
