"""Contrast normalisation against `nn.LocalResponseNorm`, in the sizes of the replica's first two layers.

Ours gets what the nets give it, maps together in memory; torch's gets the layout it is faster in. It has no bfloat16
on a CPU, so its time in float32 stands beside ours in both.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.harness import Bench, Row
from benchmarks.timing import seconds
from zfnet.nets.contrast_norm import ContrastNorm

SHAPES = ((64, 96, 55, 55), (64, 256, 26, 26))
QUICK_SHAPES = ((2, 6, 5, 5),)
REPEATS = {"cpu": 1, "cuda": 20}  # calls between two looks at the clock


def results(bench: Bench) -> Iterator[Row | str]:
    """Milliseconds forward, and forward and backward."""
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for shape in QUICK_SHAPES if bench.quick else SHAPES:
            yield from _compared(bench, {"shape": shape, "device": device})


def _compared(bench: Bench, given: dict) -> Iterator[Row]:
    place = f"{given['device']}, maps {'x'.join(map(str, given['shape']))}"
    for backward in (False, True):
        peer = bench.side("norm:torchs", backward=backward, **given)
        for precision in ("float32", "bfloat16"):
            ours = bench.side("norm:ours", backward=backward, precision=precision, **given)
            case = f"{place}, {precision}, {'forward and backward' if backward else 'forward'}"
            yield Row(case, ours.value, "ms", peer.value, "nn.LocalResponseNorm, float32", ours.peak_mb)


def ours(shape: list[int], device: str, precision: str, backward: bool) -> float:
    """Milliseconds of our norm."""
    x = torch.randn(shape, device=device).to(getattr(torch, precision))
    return _milliseconds(ContrastNorm(), x.contiguous(memory_format=torch.channels_last), backward)


def torchs(shape: list[int], device: str, backward: bool) -> float:
    """Milliseconds of torch's norm."""
    return _milliseconds(nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0), torch.randn(shape, device=device), backward)


def _milliseconds(norm: nn.Module, x: Tensor, backward: bool) -> float:
    x.requires_grad_(backward)
    repeats, along = REPEATS[x.device.type], torch.randn_like(x)
    once = partial(_both, norm, x, along) if backward else partial(norm, x)
    return 1000 * seconds(partial(_repeat, once, repeats, x.is_cuda)) / repeats


def _both(norm: nn.Module, x: Tensor, along: Tensor) -> None:
    torch.autograd.grad(norm(x), x, along)


def _repeat(once: partial, repeats: int, wait: bool) -> None:
    for _ in range(repeats):
        once()
    if wait:
        torch.cuda.synchronize()
