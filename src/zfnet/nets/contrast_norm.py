"""Contrast normalisation across feature maps (Krizhevsky et al. 2012, section 3.3; used by Zeiler & Fergus unchanged).

    b[i] = a[i] / (k + alpha/n * sum over the n maps around i of a[j]^2) ^ beta        k = 2, n = 5, beta = 0.75

at every position on its own. `alpha` is divided by n as in Krizhevsky's code and in torch (D5: alpha = 1e-4); the
formula as printed, per term, is alpha = 5e-4. With two groups the window still runs over all maps: the published code
kept it within one GPU's maps, an effect of the hardware that one-GPU versions do not copy.

Only the input is kept for the backward pass, and the window sum is one matrix product with a band of ones, which runs
over rows (positions, maps). On a CPU the rows go in pieces that stay in the cache: with 96 maps of 55 x 55 that is
three times as fast as all at once, and five times as fast as `nn.LocalResponseNorm`, some 26 passes over memory. On a
GPU that Triton can compile for, the kernels of `zfnet.nets.contrast_norm_triton` do the same.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from subprocess import SubprocessError

import torch
from torch import Tensor, nn

from zfnet.core.errors import first_line

PIECE = 2**18  # bytes of one tensor that are worked on at once on a CPU: a few of them fit into a core's cache


class ContrastNorm(nn.Module):
    """Normalise by the energy of neighbouring maps; the same function as `nn.LocalResponseNorm`, faster.

    Parameters
    ----------
    size : maps in the window, n.
    alpha : its weight, divided by `size`.
    beta : exponent.
    k : constant added to the energy.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, images: Tensor) -> Tensor:
        """Normalise float (B, C, …) of any precision, device and memory format."""
        if images.is_cuda and images.dtype in (torch.float32, torch.bfloat16) and kernels_work():
            return torch.ops.zfnet.contrast_norm(images, self.size, self.alpha, self.beta, self.k)
        return _ContrastNorm.apply(images, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Show the constants."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


@torch.compiler.assume_constant_result
def kernels_work() -> bool:
    return _try_kernels()


@cache
def _try_kernels() -> bool:
    """Tell whether Triton is there and finds a compiler; asked once a process, with a tensor of its own."""
    try:
        from zfnet.nets.contrast_norm_triton import contrast_norm

        contrast_norm(torch.ones(1, 8, 1, 1, device="cuda"), 5, 1e-4, 0.75, 2.0)
    except (ImportError, OSError, RuntimeError, SubprocessError) as error:
        print(f"The contrast norm runs without its GPU kernels, which is slower: {first_line(error)}", flush=True)
        return False
    return True


class _ContrastNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.constants = size, alpha, beta, k
        band = _band(x.shape[1], size, alpha / size, x.dtype, x.device)
        return _by_rows(lambda rows: _normalise(rows, band, beta, k), x)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (x,) = ctx.saved_tensors
        size, alpha, beta, k = ctx.constants
        band = _band(x.shape[1], size, alpha / size, x.dtype, x.device)
        return _by_rows(lambda *rows: _derivative(*rows, band, beta, k), x, gradient), None, None, None, None


def _normalise(x: Tensor, band: Tensor, beta: float, k: float) -> Tensor:
    return x * _power((x * x @ band).add_(k), beta)


def _derivative(x: Tensor, gradient: Tensor, band: Tensor, beta: float, k: float) -> Tensor:
    """The gradient goes straight through, and against the energy of all windows that the map is in."""
    energy = (x * x @ band).add_(k)
    straight = gradient * _power(energy, beta)
    return torch.addcmul(straight, x, (x * straight / energy) @ band.T, value=-2 * beta)


def _power(energy: Tensor, beta: float) -> Tensor:
    """energy ^ -beta; the published 0.75 without a logarithm."""
    if beta != 0.75:
        return energy**-beta
    root = energy.rsqrt()
    return root * root.sqrt()


def _band(maps: int, size: int, weight: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(maps, maps), kept for the next call; a compiled graph makes it a constant of its own."""
    make = _make_band if torch.compiler.is_compiling() else _kept_band
    return make(maps, size, weight, dtype, device)


def _make_band(maps: int, size: int, weight: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(maps, maps): column i holds `weight` in the rows of its window, i - size // 2 … i + (size - 1) // 2."""
    with torch.inference_mode(False):
        row = torch.arange(maps, device=device)
        ahead = row[:, None] - row
        return ((ahead >= -(size // 2)) & (ahead <= (size - 1) // 2)) * torch.tensor(weight, dtype=dtype, device=device)


_kept_band = lru_cache(maxsize=64)(_make_band)


def _by_rows(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply a function of (positions, maps) to tensors (B, C, …); the result lies in memory with its maps together."""
    flat = [tensor.movedim(1, -1) for tensor in tensors]  # (B, …, C)
    rows = [tensor.reshape(-1, tensor.shape[-1]) for tensor in flat]  # no copy if the memory is channels last
    with torch.autocast(rows[0].device.type, enabled=False):
        whole = rows[0].device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling()
        result = function(*rows) if whole else _by_pieces(function, rows)
    return result.view(flat[0].shape).movedim(-1, 1)


def _by_pieces(function: Callable[..., Tensor], rows: list[Tensor]) -> Tensor:
    result = torch.empty_like(rows[0])
    length = max(1, PIECE // (result.shape[1] * result.element_size()))
    for out, *pieces in zip(result.split(length), *(one.split(length) for one in rows), strict=True):
        out.copy_(function(*pieces))
    return result
