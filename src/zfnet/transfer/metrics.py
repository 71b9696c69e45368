"""Measures of transfer: mean accuracy per class (Caltech) and average precision (PASCAL VOC), ZF sect. 5.2, D25."""

import numpy as np


def class_accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over classes of the accuracy within each class, in per cent.

    Parameters
    ----------
    predicted, labels : int (n,)
        Every class that occurs in `labels` has the same weight, however many images it has.
    """
    return float(100 * np.mean([np.mean(predicted[labels == label] == label) for label in np.unique(labels)]))


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the average precision as defined by VOC since 2010, in per cent.

    It is the area under the curve of precision against recall, over all points, after precision was made monotonically
    decreasing.

    Parameters
    ----------
    scores : float (n,)
        Confidence that the image shows the class. Ties keep the order of the images, as in the official kit, whose sort
        is stable.
    truth : int (n,)
        1 present, -1 absent, 0 present only as difficult objects: such images count as neither hits nor false alarms.

    Returns
    -------
    float
        0 to 100; nan if no image is positive.
    """
    ranked = truth[np.argsort(-scores, kind="stable")]
    ranked = ranked[ranked != 0]
    hits = np.cumsum(ranked > 0)
    if not len(hits) or not hits[-1]:
        return float("nan")
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(100 * envelope[ranked > 0].mean())  # the area: recall grows by the same amount at every hit


def mean_average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over the classes (columns) that have a positive image, in per cent; nan if none has."""
    by_class = [average_precision(scores[:, k], truth[:, k]) for k in range(truth.shape[1])]
    return float(np.nanmean(by_class)) if not np.all(np.isnan(by_class)) else float("nan")
