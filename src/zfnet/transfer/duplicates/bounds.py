"""Upper bounds of correlations from a few numbers a picture, so that hardly any pair needs a closer look (D29).

A thumbnail a is a unit vector. Let P a be its lowest frequencies in the cosine transform, which is orthonormal, and
r_a = √(1 - |P a|²) the length of the others. By Cauchy and Schwarz |⟨a, b⟩| <= |⟨P a, P b⟩| + r_a r_b. In the mirror
the frequencies that are odd along x change sign and nothing else; with E and O the parts of ⟨P a, P b⟩ in the even and
in the odd ones, neither a mirror image nor a negative correlates more than

    |E| + |O| + r_a r_b

So no pair is lost that is only looked at where this bound reaches what is asked.
"""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from zfnet.transfer.duplicates.thumbnails import products

FREQUENCIES = 64
SLACK = 1e-3  # of a correlation: more than rounding hides


class Sketch(NamedTuple):
    """Lowest frequencies of thumbnails, (..., k) even and (..., l) odd, and the length of the others, (..., 1)."""

    even: Tensor
    odd: Tensor
    rest: Tensor


def sketch(thumbnails: Tensor) -> Sketch:
    """Take the lowest frequencies of thumbnails (..., size²)."""
    even, odd = (thumbnails @ waves.to(thumbnails) for waves in _waves(math.isqrt(thumbnails.shape[-1])))
    seen = even.square().sum(-1, keepdim=True) + odd.square().sum(-1, keepdim=True)
    return Sketch(even, odd, (1 - seen).clamp_min(0).sqrt())


def bounds(queries: Sketch, train: Sketch) -> Tensor:
    """Return what `zfnet.transfer.duplicates.thumbnails.correlate` of the same thumbnails does not exceed, (N, B)."""
    parts = zip(*(products(ours, theirs) for ours, theirs in zip(queries, train, strict=True)), strict=True)
    ours, theirs = (even.abs_().add_(odd.abs_()).add_(rest).amax(1) for even, odd, rest in parts)
    return torch.maximum(ours, theirs).add_(SLACK)


@cache
def _waves(size: int) -> tuple[Tensor, Tensor]:
    """Return the lowest cosines but the constant one, even and odd along x, (size², k) and (size², l)."""
    places = torch.arange(size, dtype=torch.float64)
    waves = torch.cos(math.pi / size * (places[:, None] + 0.5) * places) * math.sqrt(2 / size)  # (place, frequency)
    waves[:, 0] /= math.sqrt(2)
    order = (places[:, None].square() + places.square()).flatten().argsort(stable=True)[1 : FREQUENCIES + 1]
    down, across = order // size, order % size
    chosen = (waves[:, None, down] * waves[None, :, across]).flatten(0, 1)
    odd = across % 2 == 1
    return chosen[:, ~odd], chosen[:, odd]
