"""Average precision over resampled pictures: what Table 6 and claim C23 say about other pictures than those at hand.

A resample draws as many pictures with replacement, that is, gives each a weight; the pictures stay ranked as they are.
"""

import numpy as np

RESAMPLES = 1000  # at most: each ranks all pictures anew for every class


def weights_of(count: int, resamples: int, seed: int = 0) -> list[np.ndarray]:
    """Give the weights of the pictures, (count,) each: first all ones, then those of the resamples."""
    rng, even = np.random.default_rng(seed), np.full(count, 1 / count)
    drawn = [rng.multinomial(count, even).astype(float) for _ in range(min(RESAMPLES, resamples))]
    return [np.ones(count), *drawn]


def class_aps(scores: np.ndarray, truth: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Give the average precision of each class in per cent, (K, len(weights)); nan where no positive is left.

    Parameters
    ----------
    scores : float (N, K);  truth : int (N, K), 1 there, -1 not, 0 only as a difficult object;  weights : (N,) each
    """
    found = np.full((truth.shape[1], len(weights)), np.nan)
    for k in range(truth.shape[1]):
        order = np.argsort(-scores[:, k], kind="stable")
        order = order[truth[order, k] != 0]  # difficult objects count neither way
        positive = truth[order, k] > 0
        if positive.any():
            found[k] = [weighted_ap(positive, weight[order]) for weight in weights]
    return found * 100


def mean_aps(scores: np.ndarray, truth: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Give the mean of `class_aps` over the classes that have a positive, (len(weights),)."""
    found = class_aps(scores, truth, weights)
    return np.nanmean(found[~np.isnan(found[:, 0])], axis=0)


def weighted_ap(positive: np.ndarray, weight: np.ndarray) -> float:
    """Average precision (0..1) of ranked pictures, each counting `weight` times; nan where no positive is left."""
    hits = np.cumsum(weight * positive)
    if hits[-1] == 0:
        return float("nan")
    precision = hits / np.maximum(np.cumsum(weight), 1e-12)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * weight * positive).sum() / hits[-1])
