"""Contrast normalisation against `nn.LocalResponseNorm`, at the sizes of the first two layers of the replica.

Ours gets channels-last tensors, as in the nets; torch's gets the layout in which it is faster. Torch's has no bfloat16
on a CPU, so its time in float32 is compared with ours in both precisions. The limit is the time in which the memory
reads the input and writes the output and, backward, reads input and gradient and writes a gradient.
"""

from collections.abc import Iterator

import torch
from torch import nn

from benchmarks.harness import Bench, Row
from benchmarks.tensor_timing import module_milliseconds
from zfnet.nets.contrast_norm import ContrastNorm

SHAPES = ((64, 96, 55, 55), (64, 256, 26, 26))
QUICK_SHAPES = ((2, 6, 5, 5),)
COPIES = {False: 1.0, True: 2.5}  # without and with backward pass: memory traffic, in copies of the input


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield milliseconds for forward, and for forward and backward."""
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for shape in QUICK_SHAPES if bench.quick else SHAPES:
            yield from _compare(bench, {"shape": shape, "device": device})


def _compare(bench: Bench, tensor: dict) -> Iterator[Row]:
    prefix = f"{tensor['device']}, maps {'x'.join(map(str, tensor['shape']))}"
    precisions = ("float32", "bfloat16")
    copies = {
        name: bench.side("tensor_timing:copy_milliseconds", precision=name, **tensor).value for name in precisions
    }
    for backward in (False, True):
        peer = bench.side("norm:torch_norm", backward=backward, **tensor)
        for precision, copy in copies.items():
            ours = bench.side("norm:ours", backward=backward, precision=precision, **tensor)
            case = f"{prefix}, {precision}, {'forward and backward' if backward else 'forward'}"
            limit = COPIES[backward] * copy
            yield Row(case, ours.value, "ms", peer.value, "nn.LocalResponseNorm, float32", ours.peak_mb, limit)


def ours(shape: list[int], device: str, precision: str, backward: bool) -> float:
    """Return the milliseconds of our norm."""
    x = torch.randn(shape, device=device).to(getattr(torch, precision))
    return module_milliseconds(ContrastNorm(), x.contiguous(memory_format=torch.channels_last), backward)


def torch_norm(shape: list[int], device: str, backward: bool) -> float:
    """Return the milliseconds of torch's norm."""
    norm, x = nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0), torch.randn(shape, device=device)
    return module_milliseconds(norm, x, backward)
