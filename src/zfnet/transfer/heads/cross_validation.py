"""Choose the cost C of a head by cross-validation inside the training images; test images take no part.

Every fold, training size, layer and kind of head chooses its own C. All inner folds and all values of C are trained
together by `zfnet.transfer.heads.linear.fit`. Ties go to the smallest C. With a single training image per class nothing
can be set aside, and the middle of the grid is used: such classes are separable, and C hardly matters. Fits that only
serve the choice stop at a tolerance of 0.01.
"""

import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from zfnet.settings import Heads
from zfnet.transfer.heads.head import Head, Kind
from zfnet.transfer.heads.linear import fit, fit_bytes

VALIDATION_TOLERANCE = 1e-2  # changes accuracies by about a tenth of a point and halves the time

Metric = Callable[[np.ndarray, np.ndarray], float]  # scores (m, K), sample numbers (m,) -> quality, higher is better


def fit_with_best_c(
    x: Tensor, targets: Tensor, groups: np.ndarray, kind: Kind, heads: Heads, metric: Metric
) -> tuple[Head, float]:
    """Choose C, then train on all samples.

    Parameters
    ----------
    x, targets : (n, d), (n, K)
        As for `fit`.
    groups : int (n,)
        Inner fold of each sample, 0 .. `heads.inner_folds` - 1 (see `inner_folds`). If all are in one fold, C is the
        middle of the grid.
    metric
        Quality of the scores (m, K) predicted for the samples with the numbers (m,).

    Returns
    -------
    Head, float
        One head (P = 1) and its C.
    """
    grid = sorted(heads.svm_c if kind == "svm" else heads.softmax_c)
    c = grid[len(grid) // 2]
    if len(grid) > 1 and groups.max() > 0:
        c = grid[int(np.argmax(_cross_validate(x, targets, groups, kind, heads, metric, grid)))]
    costs = x.new_full((len(x), 1), c)
    return fit(x, targets, costs, kind, heads.tolerance, heads.solver), c


def cross_validation_bytes(n: int, d: int, classes: int, kind: Kind, heads: Heads) -> int:
    """Return the bytes that `fit_with_best_c` needs beyond its arguments: K classes on float32 (n, d)."""
    problems = heads.inner_folds * len(heads.svm_c if kind == "svm" else heads.softmax_c)
    scores = 8 * n * classes * problems  # without and with their biases
    return scores + fit_bytes(n, d, classes, problems, kind, heads.solver)


def warn_if_unsolved(head: Head, fit_name: str) -> bool:
    """Return whether a fit ended before it met its tolerance, and if so report it by name on stderr."""
    assert head.solved is not None  # both solvers know it
    unsolved = int((~head.solved).sum())
    if unsolved:
        print(
            f"zfnet: {fit_name}: {unsolved} of {head.solved.numel()} problems ended before transfer.heads.tolerance "
            "was met, so their predictions may differ from those at the optimum; remove the largest values of C from "
            "transfer.heads, or set a larger tolerance.",
            file=sys.stderr,
            flush=True,
        )
    return unsolved > 0


def inner_folds(labels: np.ndarray, folds: int) -> np.ndarray:
    """Return the inner fold of each image, int (n,): the images of each class are dealt in turn, from fold 0 on."""
    groups = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        groups[members] = np.arange(len(members)) % folds
    return groups


def _cross_validate(
    x: Tensor, targets: Tensor, groups: np.ndarray, kind: Kind, heads: Heads, metric: Metric, grid: list[float]
) -> np.ndarray:
    """Return the mean quality of each C over the inner folds, (len(grid),)."""
    inner = groups.max() + 1
    in_training = torch.from_numpy(groups[:, None] != np.arange(inner)).to(x)  # (n, inner)
    costs = (in_training[:, :, None] * x.new_tensor(grid)).flatten(1)  # (n, inner * grid)
    tolerance = max(heads.tolerance, VALIDATION_TOLERANCE)
    scores = fit(x, targets, costs, kind, tolerance, heads.solver).scores(x).cpu().numpy()  # (n, inner * grid, K)
    scores = scores.reshape(len(x), inner, len(grid), -1)
    members = [np.flatnonzero(groups == fold) for fold in range(inner)]
    table = [[metric(scores[m, fold, i], m) for i in range(len(grid))] for fold, m in enumerate(members)]
    return np.mean(table, axis=0)
