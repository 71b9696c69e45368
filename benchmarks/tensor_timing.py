"""Timing of operations on tensors, on a CPU or a GPU; apart from `timing`, which must not load torch."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.timing import seconds

REPEATS = {"cpu": 1, "cuda": 20}  # calls per timing


def milliseconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the milliseconds of a call on a device, on a GPU the mean of several in a row."""
    repeats = REPEATS[device.type]

    def several() -> None:
        for _ in range(repeats):
            work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return 1000 * seconds(several) / repeats


def module_milliseconds(module: nn.Module, x: Tensor, backward: bool) -> float:
    """Return the milliseconds of a module on `x`, forward or forward and backward."""
    x.requires_grad_(backward)
    gradient = torch.randn_like(module(x))
    return milliseconds(partial(_forward_backward, module, x, gradient) if backward else partial(module, x), x.device)


def copy_milliseconds(shape: list[int], device: str, precision: str) -> float:
    """Return the milliseconds of copying a tensor: reading and writing so many bytes takes no less."""
    x = torch.randn(shape, device=device).to(getattr(torch, precision))
    return milliseconds(partial(torch.empty_like(x).copy_, x), x.device)


def _forward_backward(module: nn.Module, x: Tensor, gradient: Tensor) -> None:
    torch.autograd.grad(module(x), x, gradient)
