"""Claims about ImageNet errors: Tables 2 and 3. The unit is a training; variants are paired by their random state.

d is written (first named) - (second named), errors in percentage points.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd

from zfnet.paper.findings import (
    Contrast,
    Evidence,
    Finding,
    Part,
    conclude,
    contrast,
    directed,
    equivalence,
    not_run,
    paired,
)
from zfnet.paper.results import Run
from zfnet.paper.statistics import bootstrap_mean
from zfnet.paper.table2 import ensemble_misses

TOP = {"val_top1": "val top-1", "val_top5": "val top-5", "train_top1": "train top-1"}
MARGIN_UNITS = 2.0  # C9: points of top-5
REMOVED = {"no7": "krizhevsky-no7", "no67": "krizhevsky-no67", "no34": "krizhevsky-no34"}


def zf_beats_krizhevsky(evidence: Evidence) -> Finding:
    """C2: ZF minus replica is below zero."""
    return _compare(evidence, "zf", "krizhevsky", {"val_top1": False, "val_top5": False})


def averaging_nets_helps(evidence: Evidence) -> Finding:
    """C3: error of the mean softmax minus the mean error of the nets, over images."""
    runs = evidence.results.seeds("zf")
    if len(runs) < 2:
        return not_run("needs at least two random states of the net as per Fig. 3")
    singles = [_missed(evidence, [run]) for run in runs]
    together = _missed(evidence, runs)
    if together is None or any(one is None for one in singles):
        return not_run("needs the predictions of all nets")
    parts = [_over_images(evidence, f"top-{k}", together[k] - np.mean([one[k] for one in singles], 0)) for k in (1, 5)]
    return conclude(parts, f"{len(runs)} nets, bootstrap over images")


def wide_middle_helps(evidence: Evidence) -> Finding:
    """C4: wide minus base is below zero on validation and training pictures."""
    return _compare(evidence, "zf-wide", "zf", dict.fromkeys(TOP, False))


def wide_net_improves_ensemble(evidence: Evidence) -> Finding:
    """C5: (n - 1 base nets + 1 wide) minus n base nets, so that the number of nets is equal; over images."""
    base, wide = evidence.results.seeds("zf"), evidence.results.seeds("zf-wide")
    if len(base) < 2 or not wide:
        return not_run("needs at least two random states of the net as per Fig. 3 and the wide net")
    alike, mixed = _missed(evidence, base), _missed(evidence, [*base[:-1], wide[0]])
    if alike is None or mixed is None:
        return not_run("needs the predictions of all nets")
    parts = [_over_images(evidence, f"top-{k}", mixed[k] - alike[k]) for k in (1, 5)]
    return conclude(parts, f"{len(base)} nets on both sides, bootstrap over images")


def removing_few_costs_little(evidence: Evidence) -> Finding:
    """C6: each increase of C6 minus a third of C7's increase is below zero (val top-5)."""
    increases = _increases(evidence)
    if increases is None:
        return not_run("needs the replica and its four cut variants")
    third = increases["no3467"] / 3
    return _decide(evidence, [Contrast(f"{name} - no3467/3", increases[name] - third, False) for name in REMOVED])


def removing_all_is_catastrophic(evidence: Evidence) -> Finding:
    """C7: removing 3, 4, 6, 7 costs, and more than three times the largest of the others (val top-5)."""
    increases = _increases(evidence)
    if increases is None:
        return not_run("needs the replica and its four cut variants")
    every, most = increases["no3467"], increases[[*REMOVED]].max(axis=1)
    contrasts = [Contrast("no3467 - base", every), Contrast("no3467 - 3 x largest other", every - 3 * most)]
    return _decide(evidence, contrasts, "25 points are expected at full scale only")


def depth_matters(evidence: Evidence) -> Finding:
    """C8: the joint removal costs more than the sum of its parts (val top-5)."""
    increases = _increases(evidence)
    if increases is None:
        return not_run("needs the replica and its four cut variants")
    return _decide(evidence, [Contrast("interaction", increases["no3467"] - increases["no34"] - increases["no67"])])


def units_matter_little(evidence: Evidence) -> Finding:
    """C9: half and twice the units of layers 6 and 7 stay within 2 points of top-5."""
    pairs = [(f"{base}-fc{units}", base) for base in ("krizhevsky", "zf") for units in (2048, 8192)]
    values = {variant: _differences(evidence, variant, base, "val_top5") for variant, base in pairs}
    if not all(len(one) for one in values.values()):
        return not_run("needs both nets and their variants of half and twice the units")
    parts = [equivalence(Contrast(name, one), MARGIN_UNITS, evidence.settings.level) for name, one in values.items()]
    return conclude(parts, f"equivalence within ±{MARGIN_UNITS:g} points of top-5")


def wide_everywhere_overfits(evidence: Evidence) -> Finding:
    """C10: wide convolutions with wide FC layers minus the former alone: up on validation, down on training."""
    return _compare(evidence, "zf-wide-fc8192", "zf-wide", {"val_top1": True, "val_top5": True, "train_top1": False})


def damage_is_not_ordered_by_parameters(evidence: Evidence) -> Finding:
    """C11: layer 7 < layers 3, 4 < layers 6, 7 < all four (val top-5)."""
    increases = _increases(evidence)
    if increases is None:
        return not_run("needs the replica and its four cut variants")
    order = ("no7", "no34", "no67", "no3467")
    steps = pairwise(order)
    return _decide(evidence, [Contrast(f"{more} - {less}", increases[more] - increases[less]) for less, more in steps])


def design_gives_a_boost(evidence: Evidence) -> Finding:
    """C16: the total of all design changes; their single effects are not trained."""
    note = "total only: filter size and strides are not varied alone, and the recipes differ in clipping and biases"
    return _compare(evidence, "zf", "krizhevsky", {"val_top1": False, "val_top5": False}, partial=note)


def clipping_is_crucial(evidence: Evidence) -> Finding:
    """C15: without minus with renormalisation is above zero, in all conv layers together."""
    directions = {"val_top1": True, "val_top5": True}
    return _compare(evidence, "zf-unclipped", "zf", directions, partial="layer 1 alone is not trained")


def ten_crops_help(evidence: Evidence) -> Finding:
    """C51: ten crops minus centre crop is below zero, over all trainings."""
    results, parts = evidence.results, []
    for k in ("top1", "top5"):
        errors = {
            run: (results.error(run, f"val_{k}"), results.error(run, f"centre_{k}")) for run in results.runs.values()
        }
        values = [ten - centre for ten, centre in errors.values() if ten is not None and centre is not None]
        if not values:
            return not_run("needs an evaluated training")
        parts.append(contrast(Contrast(k.replace("top", "top-"), values, False), evidence.settings.level))
    return conclude(parts, "over trainings of different nets on the same pictures")


DECIDED: dict[str, Callable[[Evidence], Finding]] = {
    "C2": zf_beats_krizhevsky,
    "C3": averaging_nets_helps,
    "C4": wide_middle_helps,
    "C5": wide_net_improves_ensemble,
    "C6": removing_few_costs_little,
    "C7": removing_all_is_catastrophic,
    "C8": depth_matters,
    "C9": units_matter_little,
    "C10": wide_everywhere_overfits,
    "C11": damage_is_not_ordered_by_parameters,
    "C15": clipping_is_crucial,
    "C16": design_gives_a_boost,
    "C51": ten_crops_help,
}


# ---- differences -----------------------------------------------------------------------------------------------------
def _differences(evidence: Evidence, first: str, second: str, measure: str) -> np.ndarray:
    """First minus second, one value per random state that both have."""
    return paired(evidence.results.errors(first, measure), evidence.results.errors(second, measure))


def _compare(
    evidence: Evidence, first: str, second: str, directions: dict[str, bool], reason: str = "", partial: str = ""
) -> Finding:
    """Decide first - second for several errors; directions say which are claimed above zero."""
    values = {name: _differences(evidence, first, second, name) for name in directions}
    if not all(len(one) for one in values.values()):
        return not_run(f"needs evaluated trainings of {first} and {second} with the same random state")
    contrasts = [Contrast(TOP[name], values[name], above) for name, above in directions.items()]
    return conclude([contrast(one, evidence.settings.level) for one in contrasts], reason, partial)


def _decide(evidence: Evidence, contrasts: list[Contrast], reason: str = "") -> Finding:
    return conclude([contrast(one, evidence.settings.level) for one in contrasts], reason)


def _increases(evidence: Evidence) -> pd.DataFrame | None:
    """Val top-5 of the replica's cut variants minus the base: rows random states, columns variants."""
    base = evidence.results.errors("krizhevsky", "val_top5")
    variants = {**REMOVED, "no3467": "krizhevsky-no3467"}
    frame = pd.DataFrame({name: evidence.results.errors(run, "val_top5") - base for name, run in variants.items()})
    return None if frame.dropna().empty else frame.dropna()


# ---- images ----------------------------------------------------------------------------------------------------------
def _missed(evidence: Evidence, runs: list[Run]) -> dict[int, np.ndarray] | None:
    """Per image whether the mean softmax of these nets misses the label: {1: …, 5: …}, float (N,)."""
    wrong = {k: ensemble_misses(evidence.results, runs, k) for k in (1, 5)}
    return None if wrong[1] is None else {k: one.astype(float) for k, one in wrong.items()}


def _over_images(evidence: Evidence, name: str, values: np.ndarray) -> Part:
    settings = evidence.settings
    return directed(name, bootstrap_mean(values * 100, settings.level, settings.resamples), above=False)
