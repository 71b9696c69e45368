"""The same heads by scikit-learn (liblinear and L-BFGS): `solver: sklearn`, and the oracle of the tests."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.transfer.heads.linear import Head, Kind


def fit_sklearn(x: Tensor, targets: Tensor, costs: Tensor, kind: Kind, tolerance: float) -> Head:
    """Train each problem by itself; arguments and result as in `zfnet.transfer.heads.linear.fit`.

    LinearSVC(loss="squared_hinge", intercept_scaling=1) and LogisticRegression(solver="lbfgs") have the same
    objectives as ours. Samples of cost 0 are left out; the others of a problem share one C.
    """
    features, truth = x.double().cpu().numpy(), targets.cpu().numpy()
    heads = [_fit_one(features, truth, cost, kind, tolerance) for cost in costs.T.double().cpu().numpy()]
    weights, biases, solved = zip(*heads, strict=True)
    parts = (np.stack(weights, 1), np.stack(biases), np.stack(solved))
    weights, biases, solved = (torch.from_numpy(part).to(x.device) for part in parts)
    return Head(weights.to(x), biases.to(x), solved)


def _fit_one(x: np.ndarray, truth: np.ndarray, cost: np.ndarray, kind: Kind, tolerance: float):
    """Return weights (d, K), biases (K,), and whether scikit-learn's criterion was met, (K,), or (1,) of a softmax."""
    rows, c = cost > 0, float(cost.max())
    if not (truth[rows] == 1).any(0).all():
        raise ZfnetError("solver sklearn: a class has no training picture in one of the folds; use solver: zfnet.")
    if kind == "softmax":
        (w, b), met = _watched(_multinomial, x[rows], truth[rows].argmax(1), truth.shape[1], c, tolerance)
        return w, b, np.array([met])
    columns = [_watched(_binary, x[rows][y != 0.5], y[y != 0.5] > 0, kind, c, tolerance) for y in truth[rows].T]
    weights, biases = zip(*(found for found, _ in columns), strict=True)
    return np.stack(weights, 1), np.array(biases), np.array([met for _, met in columns])


def _watched(train: Callable, *arguments) -> tuple[tuple, bool]:
    """Train; return the result, and whether scikit-learn did not warn that the fit has not converged."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ConvergenceWarning)
        found = train(*arguments)
    others = [one for one in said if one.category is not ConvergenceWarning]
    for one in others:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return found, len(others) == len(said)


def _binary(x: np.ndarray, y: np.ndarray, kind: Kind, c: float, tolerance: float) -> tuple[np.ndarray, float]:
    if kind == "svm":
        model = LinearSVC(C=c, tol=tolerance, dual="auto", max_iter=100_000, random_state=0)
    else:
        model = LogisticRegression(C=c, tol=tolerance, max_iter=10_000)
    model.fit(x, y)
    return model.coef_[0], float(model.intercept_[0])


def _multinomial(x: np.ndarray, labels: np.ndarray, classes: int, c: float, tolerance: float):
    if classes == 2:  # scikit-learn then fits w = w1 - w2 alone, for which our penalty is |w|²/4
        w, b = _binary(x, labels, "sigmoid", 2 * c, tolerance)
        return np.stack([-w / 2, w / 2], 1), np.array([-b / 2, b / 2])
    model = LogisticRegression(C=c, tol=tolerance, max_iter=10_000).fit(x, labels)
    return model.coef_.T, model.intercept_
