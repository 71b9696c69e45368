"""Claims of Krizhevsky et al. about parts of their net, from variants of the replica without them (K sect. 3-5, 7).

The unit is a training; variants are paired by seed with the replica (`paper.krizhevsky` trains them). At a smaller
scale only directions count. The gap between training and validation is that of centre-crop errors in evaluation mode.
Of training errors only the fractions are stored, so differences that involve them have intervals over trainings alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from zfnet.paper.claims.error_differences import BELOW, TOP, compare, of_errors, paired_errors, trained
from zfnet.paper.claims.verdicts import Evidence, Part, Verdict, conclude, directed, not_run, paired
from zfnet.paper.results import Run
from zfnet.paper.statistics import t_interval

BASE = "krizhevsky"
LAYERS = (3, 4, 5)  # the middle layers, with the last convolution (C52)
EARLY = 0.9  # an early training loss, as a fraction of the loss at chance, log(classes) (C53)
POWER_NORMAL = 1.96 + 0.84  # for a two-sided test at 5 % with 80 % power


def contrast_norm_helps(evidence: Evidence) -> Verdict:
    """C43: with minus without contrast normalisation is below zero."""
    return compare(evidence, BASE, f"{BASE}-nolrn", BELOW, partial="the CIFAR-10 nets are not trained")


def overlapping_pools_help(evidence: Evidence) -> Verdict:
    """C44: pools that overlap minus pools that do not: errors and the gap are below zero; says how many runs decide."""
    variant = f"{BASE}-nooverlap"
    if not trained(evidence, BASE, variant):
        return _missing(variant)
    parts = [directed(TOP[name], of_errors(evidence, {BASE: 1, variant: -1}, name), False) for name in BELOW]
    parts.append(_gap(evidence, BASE, variant, above=False))
    return conclude(parts, evidence.level, _seeds_needed(evidence, variant, effect=0.4))


def two_columns_help_most(evidence: Evidence) -> Verdict:
    """C45: two columns minus one of half width is below zero; that effect > contrast norm's > overlapping pools'."""
    half, norm, pool = (f"{BASE}-{name}" for name in ("half", "nolrn", "nooverlap"))
    if not trained(evidence, BASE, half, norm, pool, measure="val_top1"):
        return _missing(half, norm, pool)
    parts = [directed(TOP[name], of_errors(evidence, {BASE: 1, half: -1}, name), False) for name in BELOW]
    for name, weights in {"columns - norm": {half: 1, norm: -1}, "norm - pools": {norm: 1, pool: -1}}.items():
        parts.append(directed(f"{name}, val top-1", of_errors(evidence, weights, "val_top1"), True))
    return conclude(parts, evidence.level)


def crops_prevent_overfitting(evidence: Evidence) -> Verdict:
    """C47: without minus with random crops and flips: gap and validation error are above zero."""
    variant = f"{BASE}-nocrops"
    if not trained(evidence, BASE, variant):
        return _missing(variant)
    errors = [directed(TOP[name], of_errors(evidence, {variant: 1, BASE: -1}, name), True) for name in BELOW]
    return conclude([_gap(evidence, variant, BASE, above=True), *errors], evidence.level)


def colour_noise_helps(evidence: Evidence) -> Verdict:
    """C48: with minus without colour noise is below zero (top-1), by more than a point at full size."""
    variant = f"{BASE}-nocolour"
    if not trained(evidence, BASE, variant, measure="val_top1"):
        return _missing(variant)
    shift = -1.0 if evidence.full_size else 0.0
    name = "val top-1" if not shift else f"val top-1 {-shift:+.0f}"
    part = directed(name, of_errors(evidence, {BASE: 1, variant: -1}, "val_top1", shift), False)
    return conclude([part], evidence.level)


def dropout_prevents_overfitting(evidence: Evidence) -> Verdict:
    """C49: the gap is larger without dropout, and with it the same validation error takes more epochs (about twice)."""
    variant = f"{BASE}-nodropout"
    pairs = _pairs(evidence, variant)
    if not trained(evidence, BASE, variant) or not pairs:
        return _missing(variant)
    ratios = [ratio for first, second in pairs if (ratio := _epochs_ratio(evidence, first, second)) is not None]
    if not ratios:
        return not_run("needs histories with validation errors that both nets of a seed reach")
    interval = t_interval(np.log2(ratios), evidence.level)
    doubles = "contains" if interval.known and interval.low <= 1 <= interval.high else "does not contain"
    parts = [_gap(evidence, variant, BASE, above=True), directed("log2 epochs, with / without", interval, True, 2)]
    return conclude(parts, evidence.level, f"the interval of the ratio {doubles} 2, which is 1 as a log2")


def weight_decay_lowers_the_training_error(evidence: Evidence) -> Verdict:
    """C50: training error in evaluation mode, with minus without weight decay, is below zero."""
    return compare(evidence, BASE, f"{BASE}-nodecay", {"train_top1": False})


def every_middle_layer_counts(evidence: Evidence) -> Verdict:
    """C52: without layer 3, 4 or 5 minus base is above zero in each case (top-1)."""
    variants = {layer: f"{BASE}-no{layer}" for layer in LAYERS}
    if not trained(evidence, BASE, *variants.values(), measure="val_top1"):
        return _missing(*variants.values())
    parts = [
        directed(f"without conv{layer}", of_errors(evidence, {variant: 1, BASE: -1}, "val_top1"), True)
        for layer, variant in variants.items()
    ]
    return conclude(parts, evidence.level)


def biases_speed_up_the_start(evidence: Evidence) -> Verdict:
    """C53: epochs until an early training loss, biases of 1 minus 0, are below zero; runs that stall are counted."""
    variant = f"{BASE}-nobias"
    pairs = _pairs(evidence, variant)
    if not pairs:
        return _missing(variant)
    epochs = pd.DataFrame([[_epochs_to_early_loss(evidence, run) for run in pair] for pair in pairs], dtype=float)
    stalled = epochs.isna().sum()
    reason = f"until {EARLY:g} of the loss at chance; {stalled[0]} with biases of 1 and {stalled[1]} with 0 stalled"
    if not len(moving := epochs.dropna()):
        return not_run(f"no seed of which both nets leave chance: {reason}")
    part = directed("epochs, biases of 1 - of 0", t_interval(paired(moving[0], moving[1]), evidence.level), False, 2)
    objection = "runs that stall have no such epoch" if stalled.any() else ""
    return conclude([part], evidence.level, reason, objection=objection)


DECIDED: dict[str, Callable[[Evidence], Verdict]] = {
    "C43": contrast_norm_helps,
    "C44": overlapping_pools_help,
    "C45": two_columns_help_most,
    "C47": crops_prevent_overfitting,
    "C48": colour_noise_helps,
    "C49": dropout_prevents_overfitting,
    "C50": weight_decay_lowers_the_training_error,
    "C52": every_middle_layer_counts,
    "C53": biases_speed_up_the_start,
}


def _missing(*variants: str) -> Verdict:
    return not_run(f"needs evaluated trainings of {BASE} and {', '.join(variants)}: set paper.krizhevsky: true")


def _gap(evidence: Evidence, first: str, second: str, above: bool) -> Part:
    """Return the part about the gap between validation and training error (top-1, centre crops), first - second."""
    validation, training = (paired_errors(evidence, (first, second), name) for name in ("centre_top1", "train_top1"))
    gaps = (validation - training).dropna()
    interval = t_interval(paired(gaps[first], gaps[second]), evidence.level)
    return directed(f"gap of {first} - {second}", interval, above)


def _seeds_needed(evidence: Evidence, variant: str, effect: float) -> str:
    """Say how many seeds detect a paired difference in top-1 of `effect` points with 80 % power at the scatter seen."""
    errors = paired_errors(evidence, (BASE, variant), "val_top1")
    scatter = float((errors[BASE] - errors[variant]).std(ddof=1))
    if not np.isfinite(scatter):
        return f"one seed tells no scatter, so not how many would detect {effect:g} points"
    return f"{max(3, int(np.ceil((POWER_NORMAL * scatter / effect) ** 2)))} seeds would detect {effect:g} points"


# ---- histories -------------------------------------------------------------------------------------------------------
def _pairs(evidence: Evidence, variant: str) -> list[tuple[Run, Run]]:
    """Return the trainings of the replica and of a variant with the same seed, where both have a history."""
    others = {run.seed: run for run in evidence.results.seeds(variant)}
    pairs = [(run, others[run.seed]) for run in evidence.results.seeds(BASE) if run.seed in others]
    return [pair for pair in pairs if all(evidence.results.history(run) for run in pair)]


def _epochs_ratio(evidence: Evidence, first: Run, second: Run) -> float | None:
    """Return how many times the epochs of the second training the first needs for the lowest error both reach."""
    curves = [_curve(evidence.results.history(run), "val_top1") for run in (first, second)]
    if any(curve.empty for curve in curves):
        return None
    level = max(curve.min() for curve in curves)
    epochs = [crossing(curve, level) for curve in curves]
    return epochs[0] / epochs[1] if epochs[0] is not None and epochs[1] is not None else None


def _epochs_to_early_loss(evidence: Evidence, run: Run) -> float | None:
    """Return after how many epochs the training loss is `EARLY` of that at chance; None if it never was."""
    metrics = evidence.results.of_run(run, "metrics") or {}
    chance = np.log(max(metrics.get("classes", 0), 2))
    losses = pd.concat([pd.Series({0: chance}), _curve(evidence.results.history(run), "loss")])
    return crossing(losses, EARLY * chance)


def _curve(history: Sequence[Mapping[str, Any]], column: str) -> pd.Series:
    """Return a column of a history by epoch, without epochs that lack it."""
    return pd.Series({row["epoch"]: row[column] for row in history}, dtype=float).dropna()


def crossing(curve: pd.Series, level: float) -> float | None:
    """Return the first epoch, interpolated linearly, at which a falling curve is at or below a level; None if never."""
    below = np.flatnonzero(curve.to_numpy() <= level)
    if not below.size:
        return None
    index = int(below[0])
    epoch, value = float(curve.index[index]), float(curve.iloc[index])
    if index == 0:
        return epoch
    before, last = float(curve.index[index - 1]), float(curve.iloc[index - 1])
    return before + (epoch - before) * (last - level) / (last - value)
