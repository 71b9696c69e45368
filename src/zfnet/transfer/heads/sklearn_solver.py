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
from zfnet.transfer.heads.head import Head, Kind

Coefficients = tuple[np.ndarray, np.ndarray | float]  # weights (d,) or (d, K), and bias or biases (K,)


def fit_sklearn(x: Tensor, targets: Tensor, costs: Tensor, kind: Kind, tolerance: float) -> Head:
    """Train each problem on its own; arguments and result as for `zfnet.transfer.heads.linear.fit`.

    LinearSVC(loss="squared_hinge", intercept_scaling=1) and LogisticRegression(solver="lbfgs") minimise the same
    objectives as our solver. Samples of cost 0 are left out; all others of a problem must have the same C.
    """
    features, labels = x.double().cpu().numpy(), targets.cpu().numpy()
    heads = [_fit_problem(features, labels, cost, kind, tolerance) for cost in costs.T.double().cpu().numpy()]
    weights, biases, solved = zip(*heads, strict=True)
    arrays = (np.stack(weights, 1), np.stack(biases), np.stack(solved))  # (d, P, K), (P, K), (P, K or 1)
    w, b, converged = (torch.from_numpy(array).to(x.device) for array in arrays)
    return Head(w.to(x), b.to(x), converged)


def _fit_problem(x: np.ndarray, targets: np.ndarray, cost: np.ndarray, kind: Kind, tolerance: float) -> tuple:
    """Return weights (d, K), biases (K,), and whether scikit-learn converged, bool (K,), or (1,) for softmax."""
    rows, c = cost > 0, float(cost.max())
    if not (targets[rows] == 1).any(0).all():
        raise ZfnetError("solver sklearn: a class has no training image in one of the folds; use solver: zfnet.")
    if kind == "softmax":
        labels, classes = targets[rows].argmax(1), targets.shape[1]
        (w, b), met = _converged(_fit_multinomial, x[rows], labels, classes, c, tolerance)
        return w, b, np.array([met])
    columns = [_converged(_fit_binary, x[rows][y != 0.5], y[y != 0.5] > 0, kind, c, tolerance) for y in targets[rows].T]
    weights, biases = zip(*(coefficients for coefficients, _ in columns), strict=True)
    return np.stack(weights, 1), np.array(biases), np.array([converged for _, converged in columns])


def _converged(train: Callable[..., Coefficients], *arguments: object) -> tuple[Coefficients, bool]:
    """Train; return the coefficients, and whether it converged: scikit-learn reports failure as a warning only."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        coefficients = train(*arguments)
    others = [warning for warning in caught if warning.category is not ConvergenceWarning]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return coefficients, len(others) == len(caught)


def _fit_binary(x: np.ndarray, y: np.ndarray, kind: Kind, c: float, tolerance: float) -> Coefficients:
    if kind == "svm":
        model = LinearSVC(C=c, tol=tolerance, dual="auto", max_iter=100_000, random_state=0)
    else:
        model = LogisticRegression(C=c, tol=tolerance, max_iter=10_000)
    model.fit(x, y)
    return model.coef_[0], float(model.intercept_[0])


def _fit_multinomial(x: np.ndarray, labels: np.ndarray, classes: int, c: float, tolerance: float) -> Coefficients:
    if classes == 2:
        # scikit-learn then fits the difference w = w1 - w0 only. Our optimum has w1 = -w0 = w/2, so that our penalty
        # (|w0|² + |w1|²)/2 is |w|²/4, half of scikit-learn's |w|²/2: the same objective at twice the C.
        w, b = _fit_binary(x, labels, "sigmoid", 2 * c, tolerance)
        return np.stack([-w / 2, w / 2], 1), np.array([-b / 2, b / 2])
    model = LogisticRegression(C=c, tol=tolerance, max_iter=10_000).fit(x, labels)
    return model.coef_.T, model.intercept_
