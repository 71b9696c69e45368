"""Contrast normalisation on a GPU: one kernel forward and one backward (Krizhevsky et al. 2012, section 3.3).

With d = k + alpha/n · Σ a² over the window of n maps around each one,

    y = a d^-beta        da[i] = g[i] d[i]^-beta - 2 beta alpha/n · a[i] · Σ g[j] a[j] d[j]^(-beta - 1)

where the last sum runs over the maps j whose windows hold i. The maps of a position lie together in memory, so a
thread finds its neighbours a few elements away, in the cache; energies are computed anew where they are needed, which
costs less than to write and read them. Sums are float32 whatever the tensors are, and only the input is kept.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # elements per program


@triton.jit
def _value(x, place, feature, live, maps: tl.constexpr, shift: tl.constexpr):
    """x of the map `shift` further, 0 beyond the first and last one."""
    inside = live & (feature + shift >= 0) & (feature + shift < maps)
    return tl.load(x + place + shift, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def _energy(x, place, feature, live, maps: tl.constexpr, weight, k, size: tl.constexpr, shift: tl.constexpr):
    """k + weight · Σ x² over the window of the map `shift` further."""
    total = tl.zeros(place.shape, tl.float32)
    for step in tl.static_range(-(size // 2), (size + 1) // 2):
        value = _value(x, place, feature, live, maps, shift + step)
        total += value * value
    return k + weight * total


@triton.jit
def _power(energy, beta: tl.constexpr):
    """energy ^ -beta; the published 0.75 without a logarithm."""
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
    start = tl.program_id(0).to(tl.int64) * block
    place = start + tl.arange(0, block)
    feature = (start % maps).to(tl.int32) + tl.arange(0, block)
    feature = feature % maps
    live = place < count
    energy = _energy(x, place, feature, live, maps, weight, k, size, 0)
    own = _value(x, place, feature, live, maps, 0)
    tl.store(y + place, (own * _power(energy, beta)).to(y.dtype.element_ty), mask=live)


@triton.jit
def _backward(
    x, g, dx, count, maps: tl.constexpr, weight, k, beta: tl.constexpr, size: tl.constexpr, block: tl.constexpr
):  # fmt: skip
    start = tl.program_id(0).to(tl.int64) * block
    place = start + tl.arange(0, block)
    feature = (start % maps).to(tl.int32) + tl.arange(0, block)
    feature = feature % maps
    live = place < count
    straight = tl.zeros(place.shape, tl.float32)
    against = tl.zeros(place.shape, tl.float32)
    for shift in tl.static_range(-((size - 1) // 2), size // 2 + 1):  # the maps whose windows hold this one
        energy = _energy(x, place, feature, live, maps, weight, k, size, shift)
        passed = _value(g, place, feature, live, maps, shift) * _power(energy, beta)
        against += _value(x, place, feature, live, maps, shift) * passed / energy
        if shift == 0:
            straight = passed
    own = _value(x, place, feature, live, maps, 0)
    tl.store(dx + place, (straight - 2 * beta * weight * own * against).to(dx.dtype.element_ty), mask=live)


@torch.library.custom_op("zfnet::contrast_norm", mutates_args=())
def contrast_norm(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Normalise float32 or bfloat16 (B, C, …); the result lies in memory with its maps together.

    `size`, `alpha`, `beta` and `k` are those of `zfnet.nets.contrast_norm.ContrastNorm`.
    """
    return _launch(_forward, size, alpha, beta, k, x)


@torch.library.custom_op("zfnet::contrast_norm_backward", mutates_args=())
def contrast_norm_backward(x: Tensor, gradient: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Give the gradient with respect to `x`, given the one with respect to the result, both (B, C, …)."""
    return _launch(_backward, size, alpha, beta, k, x, gradient)


def _launch(kernel, size: int, alpha: float, beta: float, k: float, *tensors: Tensor) -> Tensor:
    rows = [
        tensor.movedim(1, -1).contiguous() for tensor in tensors
    ]  # (B, …, C); no copy where memory is channels last
    result = torch.empty_like(rows[0])
    count, maps = result.numel(), result.shape[-1]
    if count:
        kernel[(triton.cdiv(count, BLOCK),)](*rows, result, count, maps, alpha / size, k, beta, size, BLOCK)
    return result.movedim(-1, 1)


@contrast_norm.register_fake
def _(x, size, alpha, beta, k):
    return _like(x)


@contrast_norm_backward.register_fake
def _(x, gradient, size, alpha, beta, k):
    return _like(x)


def _like(x: Tensor) -> Tensor:
    return torch.empty_like(x.movedim(1, -1), memory_format=torch.contiguous_format).movedim(-1, 1)


def _keep_input(ctx, inputs, output) -> None:
    ctx.save_for_backward(inputs[0])
    ctx.constants = inputs[1:]


def _differentiate(ctx, gradient):
    return contrast_norm_backward(ctx.saved_tensors[0], gradient, *ctx.constants), None, None, None, None


contrast_norm.register_autograd(_differentiate, setup_context=_keep_input)
