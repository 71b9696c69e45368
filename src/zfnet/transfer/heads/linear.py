"""Linear classifiers on frozen features: softmax, linear SVM, independent sigmoids (ZF sect. 5.2, 5.3, C23).

All minimise, with f = X w + b and one cost c_i per sample,

    svm      1/2 |w|² + 1/2 b² + Σ c_i max(0, 1 - y_i f_i)²    one vs rest; liblinear's objective, whose bias is one
                                                               more weight on a constant feature of 1 and is regularised
    softmax  1/2 |W|² + Σ c_i (log Σ_k exp f_ik - f_i,label)   multinomial, biases free, as in LogisticRegression
    sigmoid  1/2 |w|² + Σ c_i log(1 + exp(-y_i f_i))           one vs rest, biases free

by the Newton method of `zfnet.transfer.heads.newton`. Samples share one matrix X and differ in their costs, so all classes,
all values of C and all inner folds (a sample left out costs 0) are columns of the same matrix products.

The paper names neither solver nor regulariser; L2 is chosen because it is what its linear baselines used.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.transfer.heads import blocks
from zfnet.transfer.heads.losses import LOSSES, Kind, signed

SKLEARN_BYTES = 40  # per feature of a sample: float64 twice or three times, and liblinear's pairs of index and value


@dataclass(frozen=True)
class Head:
    """P linear classifiers of K classes, trained side by side.

    weights : (d, P, K);  biases : (P, K)
    solved : bool (P, K), or (P, 1) of a softmax: the fit ended as `tolerance` of `fit` says; None: not known
    """

    weights: Tensor
    biases: Tensor
    solved: Tensor | None = None

    def scores(self, x: Tensor) -> Tensor:
        """Return f = X w + b, (n, P, K), of features (n, d)."""
        return (x.to(self.weights) @ self.weights.flatten(1)).unflatten(1, self.biases.shape) + self.biases


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
        1 where the sample is of the class, else 0; 1/2 where it counts neither way (one vs rest only). `softmax` wants
        exactly one class a sample.
    costs : float (n, P)
        C of each sample in each problem; 0 leaves it out.
    kind
        "svm", "softmax" or "sigmoid", as above.
    tolerance
        A problem is solved by a whole step that promised to lower the objective by at most this share of it, and moved
        the scores by at most the root of this share of their spread; what is left then is a small part of that.
    solver
        "sklearn": LinearSVC and LogisticRegression, the reference.

    Raises
    ------
    ZfnetError
        Shapes or values do not fit together.
    """
    _check(x, targets, costs, kind)
    if solver == "sklearn":
        from zfnet.transfer.heads.sklearn_solver import fit_sklearn

        return fit_sklearn(x, targets, costs, kind, tolerance)
    ones = torch.cat([x, x.new_ones(len(x), 1)], 1)  # (n, d + 1): the last weight is the bias
    w, solved = blocks.solve(ones, targets, costs, kind, tolerance)
    return Head(w[:-1], w[-1], solved)


def fit_bytes(n: int, d: int, classes: int, problems: int, kind: Kind, solver: str = "zfnet") -> int:
    """Return the bytes that `fit` takes beside its arguments: P problems of K classes on float32 (n, d)."""
    if solver == "sklearn":
        return SKLEARN_BYTES * n * d + 4 * d * classes * problems
    return 4 * n * (d + 1) + blocks.solve_bytes(n, d + 1, classes, problems, kind)


def objective(head: Head, x: Tensor, targets: Tensor, costs: Tensor, kind: Kind) -> Tensor:
    """Return the value each problem minimises, (P, K) for one-vs-rest heads and (P, 1) for softmax."""
    value = LOSSES[kind](head.scores(x), signed(targets, kind).to(head.weights)[:, None]).value
    norm = head.weights.square().sum(0) + (head.biases.square() if kind == "svm" else 0)  # (P, K)
    norm = norm.sum(1, keepdim=True) if kind == "softmax" else norm
    return norm / 2 + (costs[:, :, None].to(value) * value).sum(0)


def one_hot(labels: np.ndarray, classes: np.ndarray) -> Tensor:
    """Return float (n, K): 1 where sample i has the label `classes[k]`."""
    return torch.from_numpy((np.asarray(labels)[:, None] == np.asarray(classes)[None]).astype(np.float32))


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
