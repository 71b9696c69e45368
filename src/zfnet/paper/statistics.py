"""The intervals and tests that decide claims (PAPER.md 12.1): all of them about a paired difference.

References
----------
Nadeau & Bengio (2003), Inference for the generalization error. Machine Learning 52.
Schuirmann (1987), two one-sided tests. Holm (1979), a simple sequentially rejective multiple test procedure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from zfnet.errors import ZfnetError


@dataclass(frozen=True)
class Interval:
    """A difference and its confidence interval (low and high None where one value alone gives no interval)."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 1

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return self.low is not None and self.high is not None

    def text(self, digits: int = 1) -> str:
        """'[-3.1, -0.4]', or empty where there is none."""
        return f"[{self.low:+.{digits}f}, {self.high:+.{digits}f}]" if self.known else ""


def t_interval(differences: Sequence[float], level: float = 0.95, test_share: float = 0.0) -> Interval:
    """Interval of the mean of paired differences by Student's t.

    Parameters
    ----------
    differences : one per repetition (training or fold).
    level : of the two-sided interval.
    test_share : test images divided by training images, for repeated random splits: their training sets overlap, so
        the variance is multiplied by (1/n + test_share) instead of 1/n (Nadeau & Bengio). 0 for independent trainings.
    """
    values = _finite(differences)
    if values.size < 2:
        return Interval(float(values.mean()), n=values.size)
    variance = values.var(ddof=1) * (1 / values.size + test_share)
    half = stats.t.ppf((1 + level) / 2, values.size - 1) * np.sqrt(variance)
    return Interval(float(values.mean()), float(values.mean() - half), float(values.mean() + half), values.size)


def bootstrap_mean(differences: Sequence[float], level: float, resamples: int, seed: int = 0) -> Interval:
    """Percentile interval of a mean by resampling units (images, maps) with replacement.

    Differences of error rates take few distinct values, so resampling counts (a multinomial draw over the distinct
    values) gives the same distribution as resampling 50,000 images, at a thousandth of the work.
    """
    values = _finite(differences)
    if values.size < 2:
        return Interval(float(values.mean()), n=values.size)
    distinct, counts = np.unique(values, return_counts=True)
    rng, means = np.random.default_rng(seed), np.empty(resamples)
    chunk = max(1, 4_000_000 // distinct.size)
    for start in range(0, resamples, chunk):
        drawn = rng.multinomial(values.size, counts / values.size, min(chunk, resamples - start))
        means[start : start + len(drawn)] = drawn @ distinct / values.size
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), values.size)


def bootstrap_clusters(
    values: Sequence[float], clusters: np.ndarray, level: float, resamples: int, seed: int = 0
) -> Interval:
    """Interval of the mean over pairs when what is resampled are the members of pairs (Table 1: dogs, not pairs).

    Parameters
    ----------
    values : one per pair.
    clusters : int (pairs, 2), the two members of each pair; a pair counts as often as both members were drawn.
    """
    values, members = _finite(values), np.unique(clusters)
    if members.size < 3:
        return Interval(float(values.mean()), n=members.size)
    first, second = np.searchsorted(members, clusters).T
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(members.size, np.full(members.size, 1 / members.size), resamples)
    weights = drawn[:, first] * drawn[:, second]  # (resamples, pairs)
    totals = weights.sum(1)
    means = (weights @ values)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), members.size)


def equivalence_level(level: float) -> float:
    """Level of the interval that two one-sided tests look at: 0.90 for 0.95."""
    return 2 * level - 1


def p_value(differences: Sequence[float], above: bool, test_share: float = 0.0) -> float:
    """One-sided p of the claim 'the mean is above (or below) zero'; 1 where there are too few values."""
    values = _finite(differences)
    if values.size < 2:
        return 1.0
    error = np.sqrt(values.var(ddof=1) * (1 / values.size + test_share))
    mean = values.mean() if above else -values.mean()
    if error == 0:
        return 0.0 if mean > 0 else 1.0
    return float(stats.t.sf(mean / error, values.size - 1))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p values, in the order given; the share of false positives among all tests stays below alpha."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def _finite(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.size == 0 or not np.isfinite(array).all():
        raise ZfnetError(
            f"An interval needs finite numbers, found {array.tolist()[:5]}; check the results it came from."
        )
    return array
