"""How transfer is judged: mean accuracy per class (Caltech) and average precision (PASCAL VOC), ZF sect. 5.2, D25."""

import numpy as np


def class_accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over classes of the accuracy per class, in per cent.

    Parameters
    ----------
    predicted, labels : int (n,)
        Every class that occurs in `labels` counts the same, however many pictures it has.
    """
    return float(100 * np.mean([np.mean(predicted[labels == label] == label) for label in np.unique(labels)]))


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the average precision of VOC 2010 and later, in per cent.

    The area under the curve of precision against recall, all points, after precision was made non-increasing.

    Parameters
    ----------
    scores : float (n,)
        Confidence that the class is in the picture. Among equal scores the earlier picture comes first, as in the
        official kit, whose sort is stable.
    truth : int (n,)
        1 present, -1 absent, 0 only as a difficult object: such pictures are neither hits nor false alarms.

    Returns
    -------
    float
        0 to 100; nan where no picture is positive.
    """
    ranked = truth[np.argsort(-scores, kind="stable")]
    ranked = ranked[ranked != 0]
    hits = np.cumsum(ranked > 0)
    if not len(hits) or not hits[-1]:
        return float("nan")
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(100 * envelope[ranked > 0].mean())  # recall grows by the same amount at every hit


def mean_average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over classes (the columns) that have a positive picture, in per cent."""
    each = [average_precision(scores[:, k], truth[:, k]) for k in range(truth.shape[1])]
    return float(np.nanmean(each)) if not np.all(np.isnan(each)) else float("nan")
