"""Intervals and tests that decide claims (docs/claims.md): Student's t around a mean, with the right standard error.

Three repetitions are few: a percentile bootstrap over them misses its level by far (tests/paper/test_paper_levels.py),
a t interval does not. The right standard error depends on what repetitions share: folds share training images (Nadeau
& Bengio), nets share images, and pairs share animals (two-way clustered variances).

References
----------
Nadeau & Bengio (2003), Inference for the generalization error. Machine Learning 52.
Cameron, Gelbach & Miller (2011), Robust inference with multiway clustering. Aronow, Samii & Assenova (2015),
cluster-robust variance estimation for dyadic data. Howe (1974),
approximate confidence limits on the mean of X + Y. Holm (1979), a simple sequentially rejective procedure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from zfnet.core.errors import ZfnetError

SMALLEST = 1e-12  # p
FEWEST = 3  # repetitions for an interval: two that happen to agree would decide anything


@dataclass(frozen=True)
class Interval:
    """A mean difference with its standard error; without one (`errors` empty) there is no interval.

    Independent sources of variance keep their own degrees of freedom: the half width is the root of the sum of the
    sources' squared half widths (Howe). Satterthwaite's common degrees of freedom take noise for an effect in up to
    3.9 % instead of 2.5 % of cases with three nets; Howe's approximation keeps its level.
    """

    value: float
    n: int = 1  # repetitions
    errors: tuple[tuple[float, float], ...] = ()  # standard error and degrees of freedom of each source
    level: float = 0.95

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return bool(self.errors)

    @property
    def low(self) -> float:
        """Lower end; minus infinity without an interval."""
        return self.value - self._half((1 - self.level) / 2)

    @property
    def high(self) -> float:
        """Upper end; infinity without an interval."""
        return self.value + self._half((1 - self.level) / 2)

    def p(self, above: bool, threshold: float = 0.0) -> float:
        """Return the one-sided p-value of 'the mean is above (below) the threshold'; 1 without an interval."""
        if not self.known:
            return 1.0
        distance = (self.value - threshold) if above else (threshold - self.value)
        if self._half(SMALLEST) <= abs(distance):
            p = SMALLEST
        else:
            p = float(optimize.brentq(lambda tail: self._half(tail) - abs(distance), SMALLEST, 0.5, xtol=SMALLEST))
        return p if distance > 0 else 1 - p

    def _half(self, tail: float) -> float:
        """Return the half width that leaves `tail` on each side."""
        halves = [error * special.stdtrit(dof, 1 - tail) for error, dof in self.errors]
        return float(np.linalg.norm(halves)) if self.known else np.inf

    def text(self, digits: int = 1) -> str:
        """Return '[-3.1, -0.4]', or an empty text without an interval."""
        return f"[{self.low:+.{digits}f}, {self.high:+.{digits}f}]" if self.known else ""


def t_interval(differences: ArrayLike, level: float = 0.95, test_train_ratio: float = 0.0) -> Interval:
    """Return the interval of the mean of paired differences.

    Parameters
    ----------
    differences : one per repetition (training or fold); fewer than three, or all the same, give no interval.
    level : of the two-sided interval.
    test_train_ratio : test images divided by training images, for repeated random splits: their training sets overlap,
        so the variance is multiplied by (1/n + ratio) instead of 1/n (Nadeau & Bengio). 0 for independent trainings.
    """
    values = _finite(differences)
    if values.size < FEWEST or _alike(values):
        return Interval(float(values.mean()), values.size, level=level)
    variance = values.var(ddof=1) * (1 / values.size + test_train_ratio)
    return Interval(float(values.mean()), values.size, ((float(np.sqrt(variance)), values.size - 1),), level)


def units_interval(values: ArrayLike, units: np.ndarray, level: float = 0.95) -> Interval:
    """Return the interval of a mean over what one net shows, with values clustered by unit.

    Parameters
    ----------
    values : (N,).
    units : int (N,), the unit (image, feature map) of each value, or (N, 2), both animals of a pair.
    """
    values = _finite(values)
    variance, count = _unit_variance((values - values.mean()) / values.size, units)
    if count < FEWEST or _alike(values):
        return Interval(float(values.mean()), count, level=level)
    return Interval(float(values.mean()), count, ((float(np.sqrt(variance)), count - 1),), level)


def nets_interval(values: ArrayLike, nets: np.ndarray, units: np.ndarray, level: float = 0.95) -> Interval:
    """Return the interval of the mean of nets' means, where nets share units (images, animals).

    Every net has the same weight, however many values it has. The variance is that between nets, plus what nets have in
    common because they share units. Units of one net alone (its feature maps) add nothing: their scatter is part of the
    scatter of the nets' means.

    Parameters
    ----------
    values : (N,);  nets : int (N,);  units : int (N,) or (N, 2), as for `units_interval`.
    """
    finite, (names, which) = _finite(values), np.unique(nets, return_inverse=True)
    count, means = names.size, np.bincount(which, finite) / np.bincount(which)
    mean = float(means.mean())
    if count < FEWEST or _alike(means):
        return Interval(mean, count, level=level)
    terms = (finite - mean) / (count * np.bincount(which)[which])  # they add up to zero
    between = np.square(np.bincount(which, terms)).sum() * count / (count - 1)
    of_units, members = _unit_variance(terms, units)
    # Products of different nets on one unit; centring takes 1 / count of what all nets share out of `between`.
    shared = max(0.0, of_units - np.square(terms).sum()) * count / (count - 1)
    errors = (float(np.sqrt(between)), count - 1), (float(np.sqrt(shared)), max(members - 1, 1))
    return Interval(mean, count, errors, level)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return Holm's adjusted p-values in the given order; they bound the family-wise error rate."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def _unit_variance(terms: np.ndarray, units: np.ndarray) -> tuple[float, int]:
    """Return the variance of a sum of terms (which is zero) clustered by unit, and the number of units."""
    units = np.asarray(units).reshape(terms.size, -1)  # (N, 1), or (N, 2) for pairs
    members, where = np.unique(units, return_inverse=True)
    where = where.reshape(units.shape)
    sums = sum(np.bincount(column, terms, members.size) for column in where.T)
    total = np.square(sums).sum()
    if units.shape[1] == 2:  # a pair is in the sums of both of its members
        own = np.square(np.bincount(np.unique(where, axis=0, return_inverse=True)[1].ravel(), terms)).sum()
        total = max(total - own, own)  # never less than for independent pairs
    small = members.size / max(members.size - units.shape[1], 1)
    return float(total) * small, members.size


def _alike(values: np.ndarray) -> bool:
    """Return whether repetitions agree to the last digit: error rates have few digits, which is no precision."""
    return bool(np.ptp(values) <= 1e-9 * max(1.0, float(np.abs(values).max())))


def _finite(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.size == 0 or not np.isfinite(array).all():
        raise ZfnetError(
            f"An interval needs finite numbers, found {array.tolist()[:5]}; check the results they come from."
        )
    return array
