"""Contrast normalisation against `nn.LocalResponseNorm`, at the sizes of the first two layers of the replica.

Ours gets channels-last tensors, as in the nets; torch's gets the layout in which it is faster. Torch's has no bfloat16
on a CPU, so its time in float32 is compared with ours in both precisions.
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
REPEATS = {"cpu": 1, "cuda": 20}  # calls per timing


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield milliseconds for forward, and for forward and backward."""
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for shape in QUICK_SHAPES if bench.quick else SHAPES:
            yield from _compare(bench, {"shape": shape, "device": device})


def _compare(bench: Bench, tensor: dict) -> Iterator[Row]:
    prefix = f"{tensor['device']}, maps {'x'.join(map(str, tensor['shape']))}"
    for backward in (False, True):
        peer = bench.side("norm:torch_norm", backward=backward, **tensor)
        for precision in ("float32", "bfloat16"):
            ours = bench.side("norm:ours", backward=backward, precision=precision, **tensor)
            case = f"{prefix}, {precision}, {'forward and backward' if backward else 'forward'}"
            yield Row(case, ours.value, "ms", peer.value, "nn.LocalResponseNorm, float32", ours.peak_mb)


def ours(shape: list[int], device: str, precision: str, backward: bool) -> float:
    """Return the milliseconds of our norm."""
    x = torch.randn(shape, device=device).to(getattr(torch, precision))
    return _milliseconds(ContrastNorm(), x.contiguous(memory_format=torch.channels_last), backward)


def torch_norm(shape: list[int], device: str, backward: bool) -> float:
    """Return the milliseconds of torch's norm."""
    return _milliseconds(nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0), torch.randn(shape, device=device), backward)


def _milliseconds(norm: nn.Module, x: Tensor, backward: bool) -> float:
    x.requires_grad_(backward)
    repeats, gradient = REPEATS[x.device.type], torch.randn_like(x)
    once = partial(_forward_backward, norm, x, gradient) if backward else partial(norm, x)
    return 1000 * seconds(partial(_repeat, once, repeats, x.is_cuda)) / repeats


def _forward_backward(norm: nn.Module, x: Tensor, gradient: Tensor) -> None:
    torch.autograd.grad(norm(x), x, gradient)


def _repeat(once: partial, repeats: int, wait: bool) -> None:
    for _ in range(repeats):
        once()
    if wait:
        torch.cuda.synchronize()
