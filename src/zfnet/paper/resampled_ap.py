"""Average precision over resampled images, for the spread in Table 6 and for claim C23.

A resample draws as many images with replacement, that is, gives each a weight; the ranking of the images stays.
"""

import numpy as np

RESAMPLES = 1000  # at most: each resample ranks all images for every class


def weights_of(count: int, resamples: int, seed: int = 0) -> list[np.ndarray]:
    """Return the weights of the images, (count,) each: first all ones, then those of the resamples."""
    rng, even = np.random.default_rng(seed), np.full(count, 1 / count)
    drawn = [rng.multinomial(count, even).astype(float) for _ in range(min(RESAMPLES, resamples))]
    return [np.ones(count), *drawn]


def class_aps(scores: np.ndarray, truth: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Return the average precision of each class in per cent, (K, len(weights)); nan without positives.

    Parameters
    ----------
    scores : float (N, K);  truth : int (N, K), 1 present, -1 absent, 0 only as a difficult object;  weights : (N,) each
    """
    aps = np.full((truth.shape[1], len(weights)), np.nan)
    for k in range(truth.shape[1]):
        order = np.argsort(-scores[:, k], kind="stable")
        order = order[truth[order, k] != 0]  # difficult objects do not count
        positive = truth[order, k] > 0
        if positive.any():
            aps[k] = [weighted_ap(positive, weight[order]) for weight in weights]
    return aps * 100


def mean_aps(scores: np.ndarray, truth: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Return the mean of `class_aps` over the classes that have a positive, (len(weights),)."""
    aps = class_aps(scores, truth, weights)
    return np.nanmean(aps[~np.isnan(aps[:, 0])], axis=0)


def weighted_ap(positive: np.ndarray, weight: np.ndarray) -> float:
    """Return the average precision (0..1) of ranked images with weights; nan without positives."""
    hits = np.cumsum(weight * positive)
    if hits[-1] == 0:
        return float("nan")
    precision = hits / np.maximum(np.cumsum(weight), 1e-12)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * weight * positive).sum() / hits[-1])
