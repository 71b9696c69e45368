"""Contrast normalisation on a GPU: one kernel forward and one backward (Krizhevsky et al. 2012, section 3.3).

With w = alpha / n, and for each map i of a position

    d[i]  = k + w * sum of x[j]^2 over the window of n maps around i
    y[i]  = x[i] d[i]^-beta
    dx[i] = g[i] d[i]^-beta - 2 beta w x[i] * sum of g[j] x[j] d[j]^(-beta - 1) over the maps j whose windows contain i

where g is the gradient of y. `zfnet.nets.contrast_norm` derives dx.

Tensors are channels last, so the maps of a position are adjacent in memory and a thread finds its neighbours in the
cache. The kernels recompute d wherever it is needed, which is cheaper than writing and reading it. Sums are float32
whatever the type of the tensors, and only the input is saved for the backward pass.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # elements per program


@triton.jit
def _places(count, maps: tl.constexpr, block: tl.constexpr):
    """Return, for each element of the program: its index in memory, its map, and whether it exists; (block,) each."""
    start = tl.program_id(0).to(tl.int64) * block
    place = start + tl.arange(0, block)
    feature = ((start % maps).to(tl.int32) + tl.arange(0, block)) % maps
    return place, feature, place < count


@triton.jit
def _value(x, place, feature, live, maps: tl.constexpr, shift: tl.constexpr):
    """x[i + shift] for each element's map i, 0 beyond the first and the last map."""
    inside = live & (feature + shift >= 0) & (feature + shift < maps)
    return tl.load(x + place + shift, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def _energy(x, place, feature, live, maps: tl.constexpr, weight, k, size: tl.constexpr, shift: tl.constexpr):
    """d[i + shift] for each element's map i: k + weight * sum of x^2 over the window."""
    total = tl.zeros(place.shape, tl.float32)
    for step in tl.static_range(-(size // 2), (size + 1) // 2):
        value = _value(x, place, feature, live, maps, shift + step)
        total += value * value
    return k + weight * total


@triton.jit
def _power(energy, beta: tl.constexpr):
    """energy^-beta; for the published 0.75 as energy^-1/2 energy^-1/4, without a logarithm."""
    if beta == 0.75:
        root = tl.rsqrt(energy)
        result = root * tl.sqrt(root)
    else:
        result = tl.exp(-beta * tl.log(energy))
    return result


@triton.jit
def _forward(
    x, y, count, maps: tl.constexpr, weight, k, beta: tl.constexpr, size: tl.constexpr, block: tl.constexpr
):  # fmt: skip
    place, feature, live = _places(count, maps, block)
    energy = _energy(x, place, feature, live, maps, weight, k, size, 0)  # d[i]
    own = _value(x, place, feature, live, maps, 0)  # x[i]
    tl.store(y + place, (own * _power(energy, beta)).to(y.dtype.element_ty), mask=live)


@triton.jit
def _backward(
    x, g, dx, count, maps: tl.constexpr, weight, k, beta: tl.constexpr, size: tl.constexpr, block: tl.constexpr
):  # fmt: skip
    place, feature, live = _places(count, maps, block)
    direct = tl.zeros(place.shape, tl.float32)
    through_d = tl.zeros(place.shape, tl.float32)
    # The window of j reaches from j - size // 2 to j + (size - 1) // 2, so the windows that contain i are those of
    # j = i - (size - 1) // 2 … i + size // 2: for an even size the mirror image of the window of i.
    for shift in tl.static_range(-((size - 1) // 2), size // 2 + 1):
        energy = _energy(x, place, feature, live, maps, weight, k, size, shift)  # d[j]
        scaled = _value(g, place, feature, live, maps, shift) * _power(energy, beta)  # g[j] d[j]^-beta
        through_d += _value(x, place, feature, live, maps, shift) * scaled / energy  # g[j] x[j] d[j]^(-beta - 1)
        if shift == 0:
            direct = scaled
    own = _value(x, place, feature, live, maps, 0)  # x[i]
    tl.store(dx + place, (direct - 2 * beta * weight * own * through_d).to(dx.dtype.element_ty), mask=live)


@torch.library.custom_op("zfnet::contrast_norm", mutates_args=())
def contrast_norm(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Normalise float32 or bfloat16 (B, C, …); the result is channels last in memory.

    `size`, `alpha`, `beta` and `k` are those of `zfnet.nets.contrast_norm.ContrastNorm`.
    """
    return _launch(_forward, size, alpha, beta, k, x)


@torch.library.custom_op("zfnet::contrast_norm_backward", mutates_args=())
def contrast_norm_backward(x: Tensor, gradient: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Return the gradient of `x` for the `gradient` of the result, both (B, C, …)."""
    return _launch(_backward, size, alpha, beta, k, x, gradient)


def _launch(kernel: Any, size: int, alpha: float, beta: float, k: float, *tensors: Tensor) -> Tensor:
    rows = [tensor.movedim(1, -1).contiguous() for tensor in tensors]  # (B, …, C); no copy if channels last
    result = torch.empty_like(rows[0])
    count, maps = result.numel(), result.shape[-1]
    if count:
        kernel[(triton.cdiv(count, BLOCK),)](*rows, result, count, maps, alpha / size, k, beta, size, BLOCK)
    return result.movedim(-1, 1)  # (B, C, …)


@contrast_norm.register_fake
def _(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    return _like(x)


@contrast_norm_backward.register_fake
def _(x: Tensor, gradient: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    return _like(x)


def _like(x: Tensor) -> Tensor:
    return torch.empty_like(x.movedim(1, -1), memory_format=torch.contiguous_format).movedim(-1, 1)


def _keep_input(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0])
    ctx.constants = inputs[1:]


def _differentiate(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
    return contrast_norm_backward(ctx.saved_tensors[0], gradient, *ctx.constants), None, None, None, None


contrast_norm.register_autograd(_differentiate, setup_context=_keep_input)
