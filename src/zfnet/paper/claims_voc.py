"""Claim C23: would a loss that permits several objects per picture improve PASCAL? Independent sigmoids minus softmax.

The unit is a validation picture: a resample draws pictures with replacement, that is, gives each a weight, and mean
average precision is computed with these weights for both heads. The features are those of one pre-trained net.
"""

from collections.abc import Callable

import numpy as np

from zfnet.paper.findings import Evidence, Finding, directed, not_run, of_nets
from zfnet.paper.statistics import Interval

MOST = 1000  # resamples: each ranks all pictures for 20 classes twice


def several_labels_help(evidence: Evidence) -> Finding:
    """C23: mAP of the sigmoids minus mAP of the softmax is above zero."""
    if not (evidence.results.root / "transfer/voc/scores.safetensors").exists():
        return not_run("needs transfer/voc/scores.safetensors")
    arrays = evidence.results.arrays("transfer/voc/scores.safetensors")
    rng, settings = np.random.default_rng(0), evidence.settings
    count = len(arrays["truth"])
    weights = [np.ones(count)] + [
        rng.multinomial(count, np.full(count, 1 / count)).astype(float) for _ in range(min(MOST, settings.resamples))
    ]
    differences = _mean_ap(arrays, "sigmoid", weights) - _mean_ap(arrays, "softmax", weights)
    error = float(differences[1:].std(ddof=1))
    interval = Interval(float(differences[0]), count, ((error, count - 1),), settings.level)
    part = directed("mAP, sigmoids - softmax", interval, above=True, digits=2)
    return of_nets([part], settings.level, nets=1, reason="pictures resampled")


def _mean_ap(arrays: dict[str, np.ndarray], head: str, weights: list[np.ndarray]) -> np.ndarray:
    """Mean over classes of the average precision in per cent, one value per weighting of the pictures."""
    truth, scores = arrays["truth"], arrays[head]
    classes = [k for k in range(truth.shape[1]) if (truth[:, k] > 0).any()]
    found = np.zeros((len(classes), len(weights)))
    for row, k in enumerate(classes):
        order = np.argsort(-scores[:, k], kind="stable")
        order = order[truth[order, k] != 0]  # difficult objects count neither way
        positive = truth[order, k] > 0
        found[row] = [weighted_ap(positive, weight[order]) for weight in weights]
    return np.nanmean(found, axis=0) * 100


def weighted_ap(positive: np.ndarray, weight: np.ndarray) -> float:
    """Average precision (0..1) of ranked pictures, each counting `weight` times; nan where no positive is left."""
    hits = np.cumsum(weight * positive)
    if hits[-1] == 0:
        return float("nan")
    precision = hits / np.maximum(np.cumsum(weight), 1e-12)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * weight * positive).sum() / hits[-1])


DECIDED: dict[str, Callable[[Evidence], Finding]] = {"C23": several_labels_help}
