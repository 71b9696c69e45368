"""Differences of ImageNet errors between nets, with intervals over trainings and images (Tables 2 and 3; K sect. 3-5).

A difference is a weighted sum of the errors of variants, in percentage points: {"zf": 1, "krizhevsky": -1} is the first
minus the second. Variants are paired by seed. All trainings are evaluated on the same validation images; what their
differences have in common on an image widens the interval, which is then about images like these and not only about
these. At the papers' full size a difference must also come within `paper.published_tolerance` of the published one, or
the claim stays open.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from zfnet.paper import published
from zfnet.paper.claims.verdicts import (
    Evidence,
    Part,
    Verdict,
    conclude,
    control,
    directed,
    equal,
    equivalence_level,
    not_run,
)
from zfnet.paper.results import Run
from zfnet.paper.statistics import Interval, nets_interval, t_interval
from zfnet.paper.tables.table2 import ensemble_misses

TOP = {"val_top1": "val top-1", "val_top5": "val top-5", "train_top1": "train top-1"}
BELOW = {"val_top1": False, "val_top5": False}


# ---- trainings -------------------------------------------------------------------------------------------------------
def trained(evidence: Evidence, *variants: str, measure: str = "val_top5") -> bool:
    """Return whether some seed of all these variants was trained and evaluated."""
    return len(paired_errors(evidence, variants, measure)) > 0


def paired_errors(evidence: Evidence, variants: Iterable[str], measure: str) -> pd.DataFrame:
    """Return one error of several variants: rows the seeds that all of them have, columns variants."""
    return pd.DataFrame({name: evidence.results.errors(name, measure) for name in variants}).dropna()


def of_errors(
    evidence: Evidence,
    weights: Mapping[str, float],
    measure: str = "val_top5",
    shift: float = 0.0,
    level: float | None = None,
) -> Interval:
    """Return the interval of a weighted sum of variants' errors, minus `shift`, over trainings and known images.

    Training errors are stored as fractions only, without the images that were missed.
    """
    level = level or evidence.level
    errors = paired_errors(evidence, weights, measure)
    misses = _weighted_misses(evidence, weights, errors.index, measure)
    if misses is None:
        interval = t_interval(errors.to_numpy() @ np.array(list(weights.values()), dtype=float), level)
    else:
        interval = misses_interval(misses, level)
    return replace(interval, value=interval.value - shift)


def _weighted_misses(
    evidence: Evidence, weights: Mapping[str, float], seeds: Iterable[int], measure: str
) -> np.ndarray | None:
    """Return the weighted sum of the variants' misses, float (nets, images); None if they are not known."""
    part, k = measure.split("_top")
    tables = []
    for variant, weight in weights.items():
        runs = {run.seed: run for run in evidence.results.seeds(variant)}
        misses = nets_misses(evidence, [runs[seed] for seed in seeds]) if part == "val" else None
        if misses is None:
            return None
        tables.append(weight * misses[int(k)])
    return np.sum(tables, axis=0)


def alike(evidence: Evidence, name: str, weights: Mapping[str, float], margin: float, shift: float = 0.0) -> Part:
    """Return a part that claims that a weighted sum of top-5 errors is `shift`, within the margin."""
    level = equivalence_level(evidence.level)
    return equal(name, of_errors(evidence, weights, shift=shift, level=level), margin)


def compare(evidence: Evidence, first: str, second: str, directions: Mapping[str, bool], partial: str = "") -> Verdict:
    """Decide first - second for several errors; directions say which are claimed above zero."""
    if not all(trained(evidence, first, second, measure=measure) for measure in directions):
        return not_run(f"needs evaluated trainings of {first} and {second} with the same seed")
    weights = {first: 1, second: -1}
    parts = [directed(TOP[name], of_errors(evidence, weights, name), above) for name, above in directions.items()]
    return conclude(parts + as_published(evidence, first, second), evidence.level, partial=partial)


def as_published(evidence: Evidence, first: str, second: str) -> list[Part]:
    """Return, at full size, the part that first - second in top-5 is the published difference within the tolerance."""
    theirs = published.table(3)["val_top5"]
    if not evidence.full_size or not {first, second} <= set(theirs.index) or not trained(evidence, first, second):
        return []
    shift = float(theirs[first] - theirs[second])
    name = f"{first} - {second} - published ({shift:+.1f})"
    return [control(alike(evidence, name, {first: 1, second: -1}, evidence.settings.published_tolerance, shift))]


# ---- images ----------------------------------------------------------------------------------------------------------
def together_misses(evidence: Evidence, runs: Sequence[Run]) -> dict[int, np.ndarray] | None:
    """Return whether the mean softmax of these nets misses each image's label: {1: …, 5: …}, float (N,)."""
    wrong = {k: ensemble_misses(evidence.results, runs, k) for k in (1, 5)}
    known = {k: missed.astype(float) for k, missed in wrong.items() if missed is not None}
    return known if len(known) == len(wrong) else None


def nets_misses(evidence: Evidence, runs: Sequence[Run], centre: bool = False) -> dict[int, np.ndarray] | None:
    """Return whether each net misses each image's label: {1: …, 5: …}, float (nets, N); None if a net lacks it."""
    misses = [own for run in runs if (own := evidence.results.misses(run, centre)) is not None]
    if not misses or len(misses) < len(runs):
        return None
    return {k: np.stack([own[k] for own in misses]).astype(float) for k in (1, 5)}


def over_images(evidence: Evidence, tables: Mapping[int, np.ndarray], reason: str) -> Verdict:
    """Decide that differences (nets, images) of misses are below zero for both errors."""
    level = evidence.level
    parts = [directed(f"top-{k}", misses_interval(table, level), above=False) for k, table in tables.items()]
    return conclude(parts, level, f"{reason}, all on the same {tables[1].shape[1]} images")


def misses_interval(table: np.ndarray, level: float) -> Interval:
    """Return the interval in points of the mean of (nets, images)."""
    nets, images = table.shape
    return nets_interval(
        100 * table.ravel(), np.repeat(np.arange(nets), images), np.tile(np.arange(images), nets), level
    )
