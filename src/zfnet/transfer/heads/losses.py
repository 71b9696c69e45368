"""The losses of linear heads and their derivatives by the scores: squared hinge, logistic, softmax (ZF sect. 5.2)."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Kind = Literal["svm", "softmax", "sigmoid"]


class Loss(NamedTuple):
    """A loss at some scores (n, P, K), with its derivatives there."""

    value: Tensor  # (n, P, K), or (n, P, 1) of a softmax
    slope: Tensor  # (n, P, K)
    second: Tensor  # (n, P, K): second derivative by each score alone, or the probabilities of a softmax


class Curvature(NamedTuple):
    """How `Loss.second` is to be read."""

    alone: Callable[[Tensor], Tensor]  # second derivative by each score alone
    times: Callable[[Tensor, Tensor], Tensor]  # the whole second derivative times a change of the scores


def squared_hinge(scores: Tensor, signs: Tensor) -> Loss:
    """Return max(0, 1 - y f)² with signs y = ±1; 0 where the sign is 0."""
    slack = (signs.abs() - signs * scores).clamp_(min=0)
    return Loss(slack.square(), -2 * signs * slack, 2 * (slack > 0).to(slack))


def logistic(scores: Tensor, signs: Tensor) -> Loss:
    """Return log(1 + exp(-y f)) with signs y = ±1; 0 where the sign is 0."""
    wrong, counted = torch.sigmoid(-signs * scores), signs.abs()
    return Loss(counted * F.softplus(-signs * scores), -signs * wrong, counted * wrong * (1 - wrong))


def cross_entropy(scores: Tensor, targets: Tensor) -> Loss:
    """Return the log loss of a softmax, with one-hot targets."""
    logs = scores.log_softmax(-1)
    p = logs.exp()
    return Loss(-(targets * logs).sum(-1, keepdim=True), p - targets, p)


LOSSES: dict[Kind, Callable[[Tensor, Tensor], Loss]] = {
    "svm": squared_hinge,
    "softmax": cross_entropy,
    "sigmoid": logistic,
}
_SEPARATE = Curvature(lambda second: second, lambda second, change: second * change)
_COUPLED = Curvature(lambda p: p * (1 - p), lambda p, change: p * (change - (p * change).sum(-1, keepdim=True)))
CURVATURES: dict[Kind, Curvature] = {"svm": _SEPARATE, "softmax": _COUPLED, "sigmoid": _SEPARATE}


def signed(targets: Tensor, kind: Kind) -> Tensor:
    """Return what a loss wants to be told: 0 and 1 for a softmax, else -1 and 1, or 0 for neither."""
    return targets if kind == "softmax" else 2 * targets - 1
