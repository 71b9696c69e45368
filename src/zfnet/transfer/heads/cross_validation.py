"""The cost C of a head by cross-validation inside the training pictures; test pictures never take part.

Every fold, size, layer and kind of head chooses its own C. All inner folds and values of C are trained at once by
`zfnet.transfer.heads.linear.fit`. Of values that do equally well the smallest is taken. Where there is only one training
picture per class nothing can be set aside, and the middle of the grid is taken: classes of one picture are separable,
and C hardly matters. Fits that only serve the choice stop at a tolerance of 0.01.
"""

import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from zfnet.settings import Heads
from zfnet.transfer.heads.linear import Head, Kind, fit, fit_bytes

VALIDATION_TOLERANCE = 1e-2  # moves accuracies by about a tenth of a point, and takes half the time

Score = Callable[[np.ndarray, np.ndarray], float]  # scores (m, K) of the samples (m,) -> the larger the better


def fit_chosen(
    x: Tensor, targets: Tensor, groups: np.ndarray, kind: Kind, heads: Heads, score: Score
) -> tuple[Head, float]:
    """Choose C, then train on all samples.

    Parameters
    ----------
    x, targets : (n, d), (n, K)
        As for `fit`.
    groups : int (n,)
        Inner fold of each sample, 0 .. `heads.inner_folds` - 1 (see `inner_folds`); a single one: C is the middle.
    score
        Quality of the scores (m, K) that were predicted for the samples with the numbers (m,).

    Returns
    -------
    Head, float
        One head (P = 1) and its C.
    """
    grid = sorted(heads.svm_c if kind == "svm" else heads.softmax_c)
    c = grid[len(grid) // 2]
    if len(grid) > 1 and groups.max() > 0:
        c = grid[int(np.argmax(_validate(x, targets, groups, kind, heads, score, grid)))]
    costs = x.new_full((len(x), 1), c)
    return fit(x, targets, costs, kind, heads.tolerance, heads.solver), c


def choice_bytes(n: int, d: int, classes: int, kind: Kind, heads: Heads) -> int:
    """Return the bytes that `fit_chosen` takes beside its arguments: K classes on float32 (n, d)."""
    problems = heads.inner_folds * len(heads.svm_c if kind == "svm" else heads.softmax_c)
    scores = 8 * n * classes * problems  # they, and they with their biases
    return scores + fit_bytes(n, d, classes, problems, kind, heads.solver)


def unsolved(head: Head, what: str) -> bool:
    """Tell whether a fit ended before its tolerance was met, and say so on stderr; `what`: the fit in words."""
    left = int((~head.solved).sum())
    if left:
        print(
            f"zfnet: {what}: {left} of {head.solved.numel()} problems ended before transfer.heads.tolerance was met "
            "and may predict otherwise than at the optimum; leave the largest values of C out of transfer.heads, or "
            "set a larger tolerance.",
            file=sys.stderr,
            flush=True,
        )
    return left > 0


def inner_folds(labels: np.ndarray, folds: int) -> np.ndarray:
    """Deal the pictures of each class, in order, to `folds` inner folds; a class of fewer fills the first."""
    groups = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        groups[members] = np.arange(len(members)) % folds
    return groups


def _validate(
    x: Tensor, targets: Tensor, groups: np.ndarray, kind: Kind, heads: Heads, score: Score, grid: list[float]
) -> np.ndarray:
    """Mean quality of each C over the inner folds, (len(grid),)."""
    inner = groups.max() + 1
    kept = torch.from_numpy(groups[:, None] != np.arange(inner)).to(x)  # (n, inner)
    costs = (kept[:, :, None] * x.new_tensor(grid)).flatten(1)  # (n, inner * grid)
    tolerance = max(heads.tolerance, VALIDATION_TOLERANCE)
    scores = fit(x, targets, costs, kind, tolerance, heads.solver).scores(x).cpu().numpy()
    scores = scores.reshape(len(x), inner, len(grid), -1)
    members = [np.flatnonzero(groups == fold) for fold in range(inner)]
    table = [[score(scores[m, fold, i], m) for i in range(len(grid))] for fold, m in enumerate(members)]
    return np.mean(table, axis=0)
