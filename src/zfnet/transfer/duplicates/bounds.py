"""Upper bounds of correlations from a few numbers per image, so that hardly any pair has to be compared in full (D29).

A thumbnail a is a unit vector. Let P a be its lowest frequencies in the discrete cosine transform, which is
orthonormal, and r_a = √(1 - |P a|²) the norm of the others. By the Cauchy-Schwarz inequality

    |<a, b>| <= |<P a, P b>| + r_a r_b

Mirroring flips the sign of the frequencies that are odd along x and changes nothing else. With E and O the
contributions of the even and the odd frequencies to <P a, P b> = E + O, the mirror image has E - O, and negatives
change only the sign of the sum. So no correlation with b, its mirror image or their negatives exceeds

    |E| + |O| + r_a r_b

and comparing only the pairs whose bound reaches the threshold loses none.
"""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from zfnet.transfer.duplicates.thumbnails import products

FREQUENCIES = 64
SLACK = 1e-3  # added to the bounds; more than the rounding errors of a correlation


class Sketch(NamedTuple):
    """Lowest frequencies of thumbnails, even (..., k) and odd (..., l) along x, and the norm of the rest (..., 1)."""

    even: Tensor
    odd: Tensor
    rest: Tensor


def sketch(thumbnails: Tensor) -> Sketch:
    """Return the lowest frequencies of thumbnails (..., size²)."""
    even, odd = (thumbnails @ basis.to(thumbnails) for basis in _cosine_basis(math.isqrt(thumbnails.shape[-1])))
    kept = even.square().sum(-1, keepdim=True) + odd.square().sum(-1, keepdim=True)  # |P a|²
    return Sketch(even, odd, (1 - kept).clamp_min(0).sqrt())


def bounds(queries: Sketch, train: Sketch) -> Tensor:
    """Return upper bounds, (N, B), of `zfnet.transfer.duplicates.thumbnails.correlate` for the same thumbnails."""
    parts = zip(*(products(query, other) for query, other in zip(queries, train, strict=True)), strict=True)
    query_cuts, train_cuts = (even.abs_().add_(odd.abs_()).add_(rest).amax(1) for even, odd, rest in parts)
    return torch.maximum(query_cuts, train_cuts).add_(SLACK)


@cache
def _cosine_basis(size: int) -> tuple[Tensor, Tensor]:
    """Return the lowest cosines except the constant, even and odd along x, as columns: (size², k) and (size², l)."""
    places = torch.arange(size, dtype=torch.float64)
    cosines = torch.cos(math.pi / size * (places[:, None] + 0.5) * places) * math.sqrt(2 / size)  # (place, frequency)
    cosines[:, 0] /= math.sqrt(2)
    order = (places[:, None].square() + places.square()).flatten().argsort(stable=True)[1 : FREQUENCIES + 1]
    down, across = order // size, order % size
    basis = (cosines[:, None, down] * cosines[None, :, across]).flatten(0, 1)  # (size², FREQUENCIES)
    odd = across % 2 == 1
    return basis[:, ~odd], basis[:, odd]
