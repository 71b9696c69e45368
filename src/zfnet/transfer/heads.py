"""Linear classifiers on frozen features: softmax, linear SVM, independent sigmoids (PAPER.md 8.1, 8.4, C23).

All minimise, with f = X w + b and one cost c_i per sample,

    svm      1/2 |w|² + 1/2 b² + Σ c_i max(0, 1 - y_i f_i)²    one vs rest; liblinear's objective, whose bias is one
                                                               more weight on a constant feature of 1 and is regularised
    softmax  1/2 |W|² + Σ c_i (log Σ_k exp f_ik - f_i,label)   multinomial, biases free, as in LogisticRegression
    sigmoid  1/2 |w|² + Σ c_i log(1 + exp(-y_i f_i))           one vs rest, biases free

by a Newton method whose steps come from conjugate gradients, preconditioned with the Hessian's diagonal, which
`zfnet.transfer.coordinates` (principal axes, never more than samples) makes nearly the whole of it. Samples share one
matrix X and differ in their costs, so all classes, all values of C and all inner folds (a sample left out costs 0) are
columns of the same matrix products.

The paper names neither solver nor regulariser; L2 is chosen because it is what its linear baselines used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zfnet.errors import ZfnetError

Kind = Literal["svm", "softmax", "sigmoid"]


class Loss(NamedTuple):
    """A loss at some scores (n, P, K), with its derivatives there."""

    value: Tensor  # (n, P, K), or (n, P, 1) of a softmax
    slope: Tensor  # (n, P, K)
    curve: Tensor  # (n, P, K), second derivative by each score alone
    bend: Callable[[Tensor], Tensor]  # the whole second derivative times a change of the scores


@dataclass(frozen=True)
class Head:
    """P linear classifiers of K classes, trained side by side.

    weights : (d, P, K);  biases : (P, K)
    """

    weights: Tensor
    biases: Tensor

    def scores(self, x: Tensor) -> Tensor:
        """Return f = X w + b, (n, P, K), of features (n, d)."""
        return _product(x.to(self.weights), self.weights) + self.biases


def fit(
    x: Tensor,
    targets: Tensor,
    costs: Tensor,
    kind: Kind,
    tolerance: float = 1e-5,
    solver: Literal["zfnet", "sklearn"] = "zfnet",
) -> Head:
    """Train P heads at once.

    Parameters
    ----------
    x : float (n, d)
        Features; the work is done in their type and on their device.
    targets : (n, K)
        1 where the sample is of the class, else 0. `softmax` wants exactly one class a sample.
    costs : float (n, P)
        C of each sample in each problem; 0 leaves it out.
    kind
        "svm", "softmax" or "sigmoid", as above.
    tolerance
        A problem is solved when its gradient g is at most this share of the one at w = 0, and |g|²/2, which bounds
        the distance to the optimum, is at most this share of the objective.
    solver
        "sklearn": LinearSVC and LogisticRegression, the reference.

    Raises
    ------
    ZfnetError
        Shapes or values do not fit together.
    """
    _check(x, targets, costs, kind)
    if solver == "sklearn":
        from zfnet.transfer.reference import fit_sklearn

        return fit_sklearn(x, targets, costs, kind, tolerance)
    ones = torch.cat([x, x.new_ones(len(x), 1)], 1)  # (n, d + 1): the last weight is the bias
    w = _Newton(ones, targets, costs, kind, tolerance).solve()
    return Head(w[:-1], w[-1])


def objective(head: Head, x: Tensor, targets: Tensor, costs: Tensor, kind: Kind) -> Tensor:
    """Return the value each problem minimises, (P, K) for one-vs-rest heads and (P, 1) for softmax."""
    value = LOSSES[kind](head.scores(x), _signed(targets, kind).to(head.weights)[:, None]).value
    norm = head.weights.square().sum(0) + (head.biases.square() if kind == "svm" else 0)  # (P, K)
    norm = norm.sum(1, keepdim=True) if kind == "softmax" else norm
    return norm / 2 + (costs[:, :, None].to(value) * value).sum(0)


def one_hot(labels: np.ndarray, classes: np.ndarray) -> Tensor:
    """Return float (n, K): 1 where sample i has the label `classes[k]`."""
    return torch.from_numpy((np.asarray(labels)[:, None] == np.asarray(classes)[None]).astype(np.float32))


def squared_hinge(scores: Tensor, signs: Tensor) -> Loss:
    """Return max(0, 1 - y f)² with signs y = ±1."""
    slack = (1 - signs * scores).clamp_(min=0)
    curve = 2 * (slack > 0).to(slack)
    return Loss(slack.square(), -2 * signs * slack, curve, lambda change: curve * change)


def logistic(scores: Tensor, signs: Tensor) -> Loss:
    """Return log(1 + exp(-y f)) with signs y = ±1."""
    wrong = torch.sigmoid(-signs * scores)
    curve = wrong * (1 - wrong)
    return Loss(F.softplus(-signs * scores), -signs * wrong, curve, lambda change: curve * change)


def cross_entropy(scores: Tensor, targets: Tensor) -> Loss:
    """Return the log loss of a softmax, with one-hot targets."""
    logs = scores.log_softmax(-1)
    p = logs.exp()
    value = -(targets * logs).sum(-1, keepdim=True)
    return Loss(value, p - targets, p * (1 - p), lambda change: p * (change - (p * change).sum(-1, keepdim=True)))


LOSSES = {"svm": squared_hinge, "softmax": cross_entropy, "sigmoid": logistic}


class _Newton:
    """Newton's method with conjugate gradients and a halving line search, for P problems side by side.

    Softmax couples the K columns of a problem; one-vs-rest columns are problems of their own, with their own steps.
    Vectors are (d, P, K); inner products and step lengths are (P, K), or (P, 1) for softmax.
    """

    steps = 100  # of Newton; 5 to 15 are usual
    turns = 250  # of conjugate gradients within a step

    def __init__(self, x: Tensor, targets: Tensor, costs: Tensor, kind: Kind, tolerance: float):
        self.x, self.loss, self.tolerance = x, LOSSES[kind], tolerance
        self.targets = _signed(targets, kind).to(x)[:, None]  # (n, 1, K)
        self.costs = costs.to(x)[:, :, None]  # (n, P, 1)
        self.joint = kind == "softmax"
        self.penalty = x.new_ones(x.shape[1], 1, 1)  # (d, 1, 1)
        self.penalty[-1] = float(kind == "svm")

    def solve(self) -> Tensor:
        """Return the weights, (d, P, K)."""
        solution = self.x.new_zeros(self.x.shape[1], self.costs.shape[1], self.targets.shape[2])
        w, scores = solution.clone(), _product(self.x, solution)
        left = torch.arange(w.shape[1], device=w.device)  # problems still being solved
        start = None
        for _ in range(self.steps):
            loss = self.loss(scores, self.targets)
            gradient = self.penalty * w + self._pull(loss.slope)
            start = self._dot(gradient, gradient) if start is None else start
            share = self._unsolved(w, gradient, loss.value, start)
            direction = self._direction(gradient, loss, share)
            change = _product(self.x, direction)
            step = self._step(w, direction, gradient, scores, change, loss.value) * (share > 0)
            w, scores = w + step * direction, scores + step * change
            solution[:, left] = w
            going = (step > 0).any(1)
            if not going.any():
                break
            if not going.all():
                left, start = left[going], start[going]
                w, scores, self.costs = w[:, going], scores[:, going], self.costs[:, going]
        return solution

    def _unsolved(self, w: Tensor, gradient: Tensor, value: Tensor, start: Tensor) -> Tensor:
        """Return |g| / |g at w = 0|, and 0 where a problem is solved."""
        size = self._dot(gradient, gradient)
        far = size / 2 > self.tolerance * (self._dot(self.penalty * w, w) / 2 + self._sum(self.costs * value))
        share = (size / start.clamp_min(1e-30)).sqrt()
        return share * (far | (share > self.tolerance))

    def _direction(self, gradient: Tensor, loss: Loss, share: Tensor) -> Tensor:
        """Solve H d = -g by conjugate gradients, the more exactly the nearer the end."""
        inverse = 1 / (self.penalty + _product(self.x.T.square(), self.costs * loss.curve)).clamp_min(1e-30)
        direction, residual = torch.zeros_like(gradient), -gradient
        search = inverse * residual
        norm = self._dot(residual, search)
        goal = norm * share.clamp(max=0.1)
        for _ in range(self.turns):
            curved = self.penalty * search + self._pull(loss.bend(_product(self.x, search)))
            curvature = self._dot(search, curved)
            going = (norm > goal) & (share > 0) & (curvature > 0)
            if not going.any():
                break
            length = going * norm / curvature.where(going, 1)
            direction = direction + length * search
            residual = residual - length * curved
            step = inverse * residual
            norm, before = self._dot(residual, step), norm
            search = step + (norm / before.clamp_min(1e-30)) * search
        return direction

    def _step(self, w: Tensor, direction: Tensor, gradient: Tensor, scores: Tensor, change: Tensor, value: Tensor):
        """Halve the step until the objective falls by a share of what its slope promises."""
        linear, square = self._dot(self.penalty * w, direction), self._dot(self.penalty * direction, direction)
        promise, now = self._dot(gradient, direction), self._sum(self.costs * value)
        slack = 1e-6 * (now + self._dot(self.penalty * w, w) / 2)  # what rounding may hide
        step = torch.ones_like(now)
        for _ in range(20):
            trial = self._sum(self.costs * self.loss(scores + step * change, self.targets).value)
            gain = trial - now + step * linear + step.square() * square / 2
            bad = gain > 1e-4 * step * promise + slack
            if not bad.any():
                return step
            step = torch.where(bad, step / 2, step)
        return torch.where(bad, 0, step)

    def _pull(self, slopes: Tensor) -> Tensor:
        """Take slopes by the scores (n, P, K) to slopes by the weights (d, P, K)."""
        pulled = _product(self.x.T, self.costs * slopes)
        if self.joint:  # adding one number to all biases changes nothing: keep rounding from growing along it
            pulled[-1] -= pulled[-1].mean(-1, keepdim=True)
        return pulled

    def _dot(self, a: Tensor, b: Tensor) -> Tensor:
        return self._sum(a * b)

    def _sum(self, products: Tensor) -> Tensor:
        total = products.sum(0)  # (P, K)
        return total.sum(1, keepdim=True) if self.joint else total


def _product(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Multiply (a, b) with all columns of (b, P, K) at once."""
    return (matrix @ vectors.flatten(1)).unflatten(1, vectors.shape[1:])


def _signed(targets: Tensor, kind: Kind) -> Tensor:
    return targets if kind == "softmax" else 2 * targets - 1


def _check(x: Tensor, targets: Tensor, costs: Tensor, kind: Kind) -> None:
    if kind not in LOSSES:
        raise ZfnetError(f"head {kind!r}: no such classifier; there are {', '.join(LOSSES)}.")
    if x.ndim != 2 or targets.ndim != 2 or costs.ndim != 2 or not len(x) == len(targets) == len(costs):
        found = f"features {tuple(x.shape)}, targets {tuple(targets.shape)}, costs {tuple(costs.shape)}"
        raise ZfnetError(f"Heads: {found}; expected (n, d), (n, K) and (n, P) with the same n.")
    if not torch.isfinite(x).all():
        raise ZfnetError("Heads: the features hold values that are not finite; has the net's training diverged?")
    if kind == "softmax" and not (targets.sum(1) == 1).all():
        raise ZfnetError("Softmax: a sample has no class or several; give one sample for each (picture, label) pair.")
