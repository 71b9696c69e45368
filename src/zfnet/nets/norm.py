"""Contrast normalisation across feature maps (Krizhevsky et al. 2012, section 3.3; used by Zeiler & Fergus unchanged).

    b[i] = a[i] / (k + alpha/n * sum over the n maps around i of a[j]^2) ^ beta        k = 2, n = 5, beta = 0.75

at every position on its own. `alpha` is divided by n as in Krizhevsky's code and in torch (D5: alpha = 1e-4); the
formula as printed, per term, is alpha = 5e-4. With two groups the window still runs over all maps: the published code
kept it within one GPU's maps, an effect of the hardware that one-GPU versions do not copy.

Only the input is kept for the backward pass, and the window sum is one matrix product with a band of ones.
"""

from functools import lru_cache

import torch
from torch import Tensor, nn


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
        return _ContrastNorm.apply(images, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Show the constants."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class _ContrastNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.constants = size, alpha, beta, k
        return x * _power(_energy(x, size, alpha, k), beta)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (x,) = ctx.saved_tensors
        size, alpha, beta, k = ctx.constants
        energy = _energy(x, size, alpha, k)
        power = _power(energy, beta)
        shared = _window(gradient * x * power / energy, size, transpose=True)
        return gradient * power - (2 * alpha * beta / size) * x * shared, None, None, None, None


def _energy(x: Tensor, size: int, alpha: float, k: float) -> Tensor:
    return _window(x * x, size) * (alpha / size) + k


def _power(energy: Tensor, beta: float) -> Tensor:
    """energy ^ -beta; the published 0.75 without a logarithm."""
    if beta != 0.75:
        return energy**-beta
    root = energy.rsqrt()
    return root * root.sqrt()


def _window(x: Tensor, size: int, transpose: bool = False) -> Tensor:
    """Sum over the maps of each window, at every position."""
    band = _band(x.shape[1], size, x.dtype, x.device)
    band = band.T if transpose else band
    with torch.autocast(x.device.type, enabled=False):
        return (x.movedim(1, -1) @ band).movedim(-1, 1)


@lru_cache(maxsize=32)
def _band(maps: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(maps, maps): column i holds ones in the rows of its window, i - size // 2 … i + (size - 1) // 2."""
    with torch.inference_mode(False):
        row = torch.arange(maps, device=device)
        ahead = row[:, None] - row
        return ((ahead >= -(size // 2)) & (ahead <= (size - 1) // 2)).to(dtype)
