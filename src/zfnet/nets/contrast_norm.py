"""Contrast normalisation across feature maps (Krizhevsky et al. 2012, section 3.3; used by Zeiler & Fergus unchanged).

    b[i] = a[i] / (k + alpha/n * sum over the n maps around i of a[j]^2) ^ beta        k = 2, n = 5, beta = 0.75

at each position independently. `alpha` is divided by n as in Krizhevsky's code and in torch (D5: alpha = 1e-4); the
published formula, with alpha per term, corresponds to alpha = 5e-4. With two groups the window still runs over all
maps: the published code kept it within the maps of one GPU, a hardware effect that one-GPU versions do not copy.

Only the input is saved for the backward pass. The window sum is one matrix product of rows (positions, maps) with a
banded matrix (maps, maps). On a CPU the rows are processed in chunks that fit into the cache: with 96 maps of 55 x 55
this is three times as fast as one large product, and five times as fast as `nn.LocalResponseNorm`, which makes some 26
passes over memory. On a GPU that Triton can compile for, `zfnet.nets.contrast_norm_triton` computes the same.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from zfnet.nets import gpu_kernels

NAME = "contrast norm"
KERNEL_TYPES = (torch.float32, torch.bfloat16)
CHUNK = 2**18  # bytes of one tensor processed at a time on a CPU: a few chunks fit into a core's cache


class ContrastNorm(nn.Module):
    """Local response normalisation across maps: the function of `nn.LocalResponseNorm`, faster.

    Parameters
    ----------
    size : maps in the window, n.
    alpha : weight of the window's sum of squares, divided by `size`.
    beta : exponent.
    k : constant added to the weighted sum.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, images: Tensor) -> Tensor:
        """Normalise float (B, C, …) of any precision, device and memory format."""
        constants = self.size, self.alpha, self.beta, self.k
        if images.is_cuda and images.dtype in KERNEL_TYPES and kernels_run(images.shape[1], images.dtype, *constants):
            return torch.ops.zfnet.contrast_norm(images, *constants)
        return _ContrastNorm.apply(images, *constants)

    def extra_repr(self) -> str:
        """Return the constants for `repr`."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


@torch.compiler.assume_constant_result
def kernels_run(maps: int, dtype: torch.dtype, size: int, alpha: float, beta: float, k: float) -> bool:
    """Return whether the Triton kernels run here in this form; constant in a compiled graph."""
    return gpu_kernels.runs(NAME, (maps, dtype, size, beta), partial(_try_kernels, maps, dtype, size, alpha, beta, k))


def _try_kernels(maps: int, dtype: torch.dtype, *constants: float) -> None:
    """Run both kernels on one position and wait for them."""
    from zfnet.nets.contrast_norm_triton import contrast_norm, contrast_norm_backward

    x = torch.ones(1, maps, 1, 1, device="cuda", dtype=dtype)
    contrast_norm(x, *constants)
    contrast_norm_backward(x, x, *constants)
    torch.cuda.synchronize()


class _ContrastNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.constants = size, alpha, beta, k
        band = _band(x.shape[1], size, alpha / size, x.dtype, x.device)
        return _apply_to_rows(lambda rows: _normalise(rows, band, beta, k), x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        (x,) = ctx.saved_tensors
        size, alpha, beta, k = ctx.constants
        band = _band(x.shape[1], size, alpha / size, x.dtype, x.device)
        dx = _apply_to_rows(lambda rows, slopes: _input_gradient(rows, slopes, band, beta, k), x, gradient)
        return dx, None, None, None, None


def _normalise(x: Tensor, band: Tensor, beta: float, k: float) -> Tensor:
    """y = x d^-beta with d = k + x² B; x and y (positions, maps), B (maps, maps)."""
    return x * _power((x * x @ band).add_(k), beta)


def _input_gradient(x: Tensor, gradient: Tensor, band: Tensor, beta: float, k: float) -> Tensor:
    """Return dx for the gradient g of y; all (positions, maps).

    y[j] = x[j] d[j]^-beta depends on x[i] directly if i = j, and through d[j] if i is in the window of j, where
    dd[j]/dx[i] = 2 x[i] B[i, j]. Hence

        dx[i] = g[i] d[i]^-beta - 2 beta x[i] * sum over j of g[j] x[j] d[j]^(-beta - 1) B[i, j]
    """
    d = (x * x @ band).add_(k)
    direct = gradient * _power(d, beta)  # g d^-beta
    through_d = (x * direct / d) @ band.T  # the sum over j
    return torch.addcmul(direct, x, through_d, value=-2 * beta)


def _power(d: Tensor, beta: float) -> Tensor:
    """Return d^-beta; for the published 0.75 as d^-1/2 d^-1/4, without a logarithm."""
    if beta != 0.75:
        return d**-beta
    root = d.rsqrt()
    return root * root.sqrt()


def _band(maps: int, size: int, weight: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the cached band (maps, maps); a compiled graph makes its own, which it stores as a constant."""
    make = _make_band if torch.compiler.is_compiling() else _cached_band
    return make(maps, size, weight, dtype, device)


def _make_band(maps: int, size: int, weight: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return B (maps, maps): column i is `weight` in the rows of its window, i - size // 2 … i + (size - 1) // 2."""
    with torch.inference_mode(False):  # a cached inference tensor could not be used in a later training step
        row = torch.arange(maps, device=device)
        ahead = row[:, None] - row  # (maps, maps), row minus column
        return ((ahead >= -(size // 2)) & (ahead <= (size - 1) // 2)) * torch.tensor(weight, dtype=dtype, device=device)


_cached_band = lru_cache(maxsize=64)(_make_band)


def _apply_to_rows(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply a function of rows (positions, maps) to tensors (B, C, …); the result is channels last in memory."""
    channels_last = [tensor.movedim(1, -1) for tensor in tensors]  # (B, …, C)
    rows = [tensor.reshape(-1, tensor.shape[-1]) for tensor in channels_last]  # (positions, C); a view if channels last
    with torch.autocast(rows[0].device.type, enabled=False):
        at_once = rows[0].device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling()
        result = function(*rows) if at_once else _in_chunks(function, rows)
    return result.view(channels_last[0].shape).movedim(-1, 1)  # (B, C, …)


def _in_chunks(function: Callable[..., Tensor], rows: list[Tensor]) -> Tensor:
    result = torch.empty_like(rows[0])
    length = max(1, CHUNK // (result.shape[1] * result.element_size()))
    for out, *chunks in zip(result.split(length), *(tensor.split(length) for tensor in rows), strict=True):
        out.copy_(function(*chunks))
    return result
