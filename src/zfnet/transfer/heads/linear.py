"""Linear classifiers on frozen features: softmax, linear SVM, independent sigmoids (ZF sect. 5.2, 5.3, C23).

With scores f = X w + b and a cost c_i for each sample, they minimise

    svm      1/2 |w|² + 1/2 b² + Σ c_i max(0, 1 - y_i f_i)²    one vs rest; liblinear's objective, which regularises the
                                                               bias as the weight of a constant feature of 1
    softmax  1/2 |W|² + Σ c_i (log Σ_k exp f_ik - f_i,label)   multinomial, biases free, as in LogisticRegression
    sigmoid  1/2 |w|² + Σ c_i log(1 + exp(-y_i f_i))           one vs rest, biases free

by Newton's method (`zfnet.transfer.heads.newton`), or with `solver: sklearn` by scikit-learn, one problem at a time.
Our problems share the matrix X and differ only in their costs, so all classes, all values of C and all inner folds (a
sample that is left out costs 0) are columns of the same matrix products.

The paper names neither solver nor regulariser. We use L2, as the linear baselines it compares with did.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.transfer.heads import blocks
from zfnet.transfer.heads.head import Head, Kind
from zfnet.transfer.heads.losses import LOSSES, signed

SKLEARN_BYTES = 40  # per feature of a sample: two or three copies in float64, and liblinear's (index, value) pairs


def fit(
    x: Tensor,
    targets: Tensor,
    costs: Tensor,
    kind: Kind,
    tolerance: float = 1e-5,
    solver: Literal["zfnet", "sklearn"] = "zfnet",
) -> Head:
    """Train P heads side by side.

    Parameters
    ----------
    x : float (n, d)
        Features; their dtype and device are those of the computation.
    targets : (n, K)
        1 if the sample has the class, else 0; 1/2 if it is neither a positive nor a negative of it (one vs rest only).
        `softmax` needs exactly one class per sample.
    costs : float (n, P)
        C of each sample in each problem; 0 leaves the sample out.
    kind
        "svm", "softmax" or "sigmoid", as above.
    tolerance
        Relative. A problem is solved by a full Newton step that was predicted to lower the objective by at most this
        fraction, and moved the scores by at most the square root of it, relative to their spread. What then remains
        is a small part of that.
    solver
        "zfnet", or "sklearn": LinearSVC and LogisticRegression, the reference.

    Raises
    ------
    ZfnetError
        The shapes do not match, or a value is not allowed.
    """
    _check(x, targets, costs, kind)
    if solver == "sklearn":
        from zfnet.transfer.heads.sklearn_solver import fit_sklearn  # slow to import, and rarely used

        return fit_sklearn(x, targets, costs, kind, tolerance)
    ones = torch.cat([x, x.new_ones(len(x), 1)], 1)  # (n, d + 1): the last weight is the bias
    w, solved = blocks.solve(ones, targets, costs, kind, tolerance)
    return Head(w[:-1], w[-1], solved)


def fit_bytes(n: int, d: int, classes: int, problems: int, kind: Kind, solver: str = "zfnet") -> int:
    """Return the bytes that `fit` needs beyond its arguments: P problems of K classes on float32 (n, d)."""
    if solver == "sklearn":
        return SKLEARN_BYTES * n * d + 4 * d * classes * problems
    return 4 * n * (d + 1) + blocks.solve_bytes(n, d + 1, classes, problems, kind)


def objective(head: Head, x: Tensor, targets: Tensor, costs: Tensor, kind: Kind) -> Tensor:
    """Return the objective of each problem, (P, K) for one-vs-rest heads and (P, 1) for softmax."""
    value = LOSSES[kind](head.scores(x), signed(targets, kind).to(head.weights)[:, None]).value
    norm = head.weights.square().sum(0) + (head.biases.square() if kind == "svm" else 0)  # (P, K)
    norm = norm.sum(1, keepdim=True) if kind == "softmax" else norm
    return norm / 2 + (costs[:, :, None].to(value) * value).sum(0)


def one_hot(labels: np.ndarray, classes: np.ndarray) -> Tensor:
    """Return float32 (n, K): 1 where sample i has the label `classes[k]`, else 0."""
    return torch.from_numpy((np.asarray(labels)[:, None] == np.asarray(classes)[None]).astype(np.float32))


def _check(x: Tensor, targets: Tensor, costs: Tensor, kind: Kind) -> None:
    if kind not in LOSSES:
        raise ZfnetError(f"head {kind!r}: no such classifier; expected one of {', '.join(LOSSES)}.")
    if x.ndim != 2 or targets.ndim != 2 or costs.ndim != 2 or not len(x) == len(targets) == len(costs):
        shapes = f"features {tuple(x.shape)}, targets {tuple(targets.shape)}, costs {tuple(costs.shape)}"
        raise ZfnetError(f"Heads: {shapes}; expected (n, d), (n, K) and (n, P) with the same n.")
    if not torch.isfinite(x).all():
        raise ZfnetError(
            "Heads: the features contain values that are not finite; check whether the net's training diverged."
        )
    if kind == "softmax" and not (targets.sum(1) == 1).all():
        raise ZfnetError("Softmax: a sample has no class or several; pass one sample for each (image, label) pair.")
