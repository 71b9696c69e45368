"""Losses of linear heads with their derivatives in the scores: squared hinge, logistic, cross-entropy (ZF sect. 5.2).

The second derivative is never stored as a matrix. Each loss returns what is needed to apply it (`Loss.hessian_state`),
and `HESSIANS` holds the two ways of applying it: K independent scores per sample, or the K coupled scores of a softmax.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from zfnet.transfer.heads.head import Kind


class Loss(NamedTuple):
    """A loss at the scores (n, P, K), with its derivatives there."""

    value: Tensor  # (n, P, K), or (n, P, 1) for softmax
    gradient: Tensor  # (n, P, K): derivative in each score
    hessian_state: Tensor  # (n, P, K): second derivative in each score, or the probabilities of a softmax


class ScoreHessian(NamedTuple):
    """The Hessian of a loss in the K scores of a sample, applied to many samples at once.

    Both functions take `Loss.hessian_state` first.
    """

    diagonal: Callable[[Tensor], Tensor]  # -> (n, P, K)
    product: Callable[[Tensor, Tensor], Tensor]  # times a vector (n, P, K) -> (n, P, K)


def squared_hinge(scores: Tensor, signs: Tensor) -> Loss:
    """Return max(0, 1 - y f)² for signs y = ±1, and 0 where the sign is 0.

    The second derivative jumps at y f = 1. Newton's method uses the generalised one: 2 inside the margin, 0 outside.
    """
    slack = (signs.abs() - signs * scores).clamp_(min=0)
    return Loss(slack.square(), -2 * signs * slack, 2 * (slack > 0).to(slack))


def logistic(scores: Tensor, signs: Tensor) -> Loss:
    """Return log(1 + exp(-y f)) for signs y = ±1, and 0 where the sign is 0."""
    wrong, counted = torch.sigmoid(-signs * scores), signs.abs()
    return Loss(counted * F.softplus(-signs * scores), -signs * wrong, counted * wrong * (1 - wrong))


def cross_entropy(scores: Tensor, targets: Tensor) -> Loss:
    """Return the cross-entropy of softmax probabilities p with one-hot targets y; its gradient is p - y."""
    log_p = scores.log_softmax(-1)
    p = log_p.exp()
    return Loss(-(targets * log_p).sum(-1, keepdim=True), p - targets, p)


LOSSES: dict[Kind, Callable[[Tensor, Tensor], Loss]] = {
    "svm": squared_hinge,
    "softmax": cross_entropy,
    "sigmoid": logistic,
}
_INDEPENDENT = ScoreHessian(lambda second: second, lambda second, v: second * v)
# Softmax: H = diag(p) - p pᵀ for each sample, so H v = p ∘ (v - <p, v>).
_SOFTMAX = ScoreHessian(lambda p: p * (1 - p), lambda p, v: p * (v - (p * v).sum(-1, keepdim=True)))
HESSIANS: dict[Kind, ScoreHessian] = {"svm": _INDEPENDENT, "softmax": _SOFTMAX, "sigmoid": _INDEPENDENT}


def signed(targets: Tensor, kind: Kind) -> Tensor:
    """Return targets as the loss expects them: 0 and 1 for softmax, else -1 and 1, with 0 for "do not count"."""
    return targets if kind == "softmax" else 2 * targets - 1
