"""Claims about ImageNet errors: Tables 2 and 3. The unit is a training; variants are paired by their random state.

d is written (first named) - (second named), errors in percentage points. Where pictures are the unit (ensembles, ten
crops), what the nets' errors have in common on a picture widens the interval. At the papers' full size a difference
must also come within `paper.tolerance` of the printed one.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from zfnet.paper import printed
from zfnet.paper.findings import (
    Contrast,
    Evidence,
    Finding,
    Part,
    conclude,
    contrast,
    directed,
    equivalence,
    equivalence_level,
    not_run,
    paired,
)
from zfnet.paper.findings import equal as equal_within
from zfnet.paper.results import Run
from zfnet.paper.statistics import nets_interval
from zfnet.paper.table2 import ensemble_misses

TOP = {"val_top1": "val top-1", "val_top5": "val top-5", "train_top1": "train top-1"}
BELOW = {"val_top1": False, "val_top5": False}
REMOVED = {"no7": "krizhevsky-no7", "no67": "krizhevsky-no67", "no34": "krizhevsky-no34"}
CUTS = {**REMOVED, "no3467": "krizhevsky-no3467"}
JOINT = 25.0  # C7: points of top-5 that removing layers 3, 4, 6, 7 costs at full size
CUTS_MISSING = "needs the replica and its four cut variants"
NETS_MISSING = "needs the predictions of at least three random states of the net as per Fig. 3"


def replica_reproduces(evidence: Evidence) -> Finding:
    """C1: at full size, replica minus printed top-5 within the tolerance, and two halves of the pictures agree."""
    if not evidence.full_size:
        return not_run("needs the full size; at a smaller one, a second training with the recipe of the 2012 code")
    runs, errors = evidence.results.seeds("krizhevsky"), evidence.results.errors("krizhevsky", "val_top5")
    misses = _misses(evidence, runs)
    if misses is None or not len(errors):
        return not_run("needs an evaluated training of the replica")
    theirs, settings = printed.table(2).loc["krizhevsky", "val_top5"], evidence.settings
    replica = Contrast(f"val top-5 - {theirs:g}", errors - theirs)
    sign = np.where(np.arange(misses[5].shape[1]) % 2, -2.0, 2.0)  # a mean of these is the difference of the halves
    halves = _interval(misses[5] * sign, equivalence_level(settings.level))
    parts = [
        equivalence(replica, settings.tolerance, settings.level),
        equal_within("one half of the pictures - the other", halves, settings.tolerance),
    ]
    return conclude(parts, settings.level, f"equivalence within ±{settings.tolerance:g} points of top-5")


def zf_beats_krizhevsky(evidence: Evidence) -> Finding:
    """C2: ZF minus replica is below zero."""
    return _compare(evidence, "zf", "krizhevsky", BELOW)


def averaging_nets_helps(evidence: Evidence) -> Finding:
    """C3: error of the mean softmax minus that of each of its nets."""
    runs = evidence.results.seeds("zf")
    together, singles = _together(evidence, runs), _misses(evidence, runs)
    if together is None or singles is None or len(runs) < 2:
        return not_run(NETS_MISSING)
    tables = {k: together[k] - singles[k] for k in (1, 5)}  # (nets, pictures)
    return _over_pictures(evidence, tables, f"{len(runs)} nets")


def wide_middle_helps(evidence: Evidence) -> Finding:
    """C4: wide minus base is below zero on validation and training pictures."""
    return _compare(evidence, "zf-wide", "zf", dict.fromkeys(TOP, False))


def wide_net_improves_ensemble(evidence: Evidence) -> Finding:
    """C5: one net of the ensemble exchanged for the wide one of its random state, so that their number is equal."""
    base, wide = (evidence.results.seeds(variant) for variant in ("zf", "zf-wide"))
    wide_of = {run.seed: run for run in wide}
    mixed = [[wide_of[run.seed] if run is one else run for run in base] for one in base if one.seed in wide_of]
    alike = _together(evidence, base)
    exchanged = [_together(evidence, runs) for runs in mixed]
    if len(base) < 2 or alike is None or not exchanged or any(one is None for one in exchanged):
        return not_run(f"{NETS_MISSING}, and of the wide one")
    tables = {k: np.stack([one[k] - alike[k] for one in exchanged]) for k in (1, 5)}
    return _over_pictures(evidence, tables, f"{len(base)} nets on both sides")


def removing_few_costs_little(evidence: Evidence) -> Finding:
    """C6: each increase of C6 minus a third of C7's increase is below zero (val top-5)."""
    increases = _increases(evidence)
    if increases is None:
        return not_run(CUTS_MISSING)
    third = increases["no3467"] / 3
    contrasts = [Contrast(f"{name} - no3467/3", increases[name] - third, False) for name in REMOVED]
    return _decide(evidence, contrasts, as_printed=list(REMOVED.values()))


def removing_all_is_catastrophic(evidence: Evidence) -> Finding:
    """C7: removing 3, 4, 6, 7 costs more than three times each of the others; 25 points at full size (val top-5)."""
    increases = _increases(evidence)
    if increases is None:
        return not_run(CUTS_MISSING)
    every = increases["no3467"]
    contrasts = [Contrast("no3467 - base", every)]
    contrasts += [Contrast(f"no3467 - 3 x {name}", every - 3 * increases[name]) for name in REMOVED]
    if evidence.full_size:
        contrasts += [Contrast(f"no3467 - base - {JOINT:g}", every - JOINT)]
    return _decide(evidence, contrasts, "" if evidence.full_size else "25 points are asked for at full size only")


def depth_matters(evidence: Evidence) -> Finding:
    """C8: the joint removal costs more than the sum of its parts (val top-5)."""
    increases = _increases(evidence)
    if increases is None:
        return not_run(CUTS_MISSING)
    return _decide(evidence, [Contrast("interaction", increases["no3467"] - increases["no34"] - increases["no67"])])


def units_matter_little(evidence: Evidence) -> Finding:
    """C9: half and twice the units of layers 6 and 7 stay within the margin (top-5)."""
    margin, level = evidence.settings.margin_units, evidence.settings.level
    pairs = [(f"{base}-fc{units}", base) for base in ("krizhevsky", "zf") for units in (2048, 8192)]
    values = {variant: _differences(evidence, variant, base, "val_top5") for variant, base in pairs}
    if not all(len(one) for one in values.values()):
        return not_run("needs both nets and their variants of half and twice the units")
    parts = [equivalence(Contrast(name, one), margin, level) for name, one in values.items()]
    return conclude(parts, level, f"equivalence within ±{margin:g} points of top-5")


def wide_everywhere_overfits(evidence: Evidence) -> Finding:
    """C10: wide convolutions with wide FC layers minus the former alone: up on validation, down on training."""
    return _compare(evidence, "zf-wide-fc8192", "zf-wide", {"val_top1": True, "val_top5": True, "train_top1": False})


def damage_is_not_ordered_by_parameters(evidence: Evidence) -> Finding:
    """C11: layer 7 < layers 3, 4 < layers 6, 7 < all four (val top-5)."""
    increases = _increases(evidence)
    if increases is None:
        return not_run(CUTS_MISSING)
    steps = pairwise(("no7", "no34", "no67", "no3467"))
    return _decide(evidence, [Contrast(f"{more} - {less}", increases[more] - increases[less]) for less, more in steps])


def clipping_is_crucial(evidence: Evidence) -> Finding:
    """C15: without minus with renormalisation is above zero, in all conv layers together."""
    directions = {"val_top1": True, "val_top5": True}
    return _compare(evidence, "zf-unclipped", "zf", directions, partial="layer 1 alone is not trained")


def design_gives_a_boost(evidence: Evidence) -> Finding:
    """C16: the total of all design changes; their single effects are not trained."""
    note = "total only: filter size and strides are not varied alone, and the recipes differ in clipping and biases"
    return _compare(evidence, "zf", "krizhevsky", BELOW, partial=note)


def ten_crops_help(evidence: Evidence) -> Finding:
    """C51: ten crops minus centre crop is below zero, over the random states of both published nets."""
    runs = [run for variant in ("krizhevsky", "zf") for run in evidence.results.seeds(variant)]
    ten, centre = _misses(evidence, runs), _misses(evidence, runs, centre=True)
    if ten is None or centre is None:
        return not_run("needs centre-crop and ten-crop predictions of both nets")
    return _over_pictures(evidence, {k: ten[k] - centre[k] for k in (1, 5)}, f"{len(runs)} nets")


DECIDED: dict[str, Callable[[Evidence], Finding]] = {
    "C1": replica_reproduces,
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


# ---- trainings -------------------------------------------------------------------------------------------------------
def _differences(evidence: Evidence, first: str, second: str, measure: str) -> np.ndarray:
    """First minus second, one value per random state that both have."""
    return paired(evidence.results.errors(first, measure), evidence.results.errors(second, measure))


def _compare(evidence: Evidence, first: str, second: str, directions: Mapping[str, bool], partial: str = "") -> Finding:
    """Decide first - second for several errors; directions say which are claimed above zero."""
    values = {name: _differences(evidence, first, second, name) for name in directions}
    if not all(len(one) for one in values.values()):
        return not_run(f"needs evaluated trainings of {first} and {second} with the same random state")
    level = evidence.settings.level
    parts = [contrast(Contrast(TOP[name], values[name], above), level) for name, above in directions.items()]
    return conclude(parts + _as_printed(evidence, first, second), level, partial=partial)


def _decide(evidence: Evidence, contrasts: Sequence[Contrast], reason: str = "", as_printed: Sequence[str] = ()):
    level = evidence.settings.level
    values = [part for variant in as_printed for part in _as_printed(evidence, variant, "krizhevsky")]
    return conclude([*(contrast(one, level) for one in contrasts), *values], level, reason)


def _as_printed(evidence: Evidence, first: str, second: str) -> list[Part]:
    """At full size: first - second in top-5 is the printed difference, within the tolerance."""
    theirs = printed.table(3)["val_top5"]
    if not evidence.full_size or not {first, second} <= set(theirs.index):
        return []
    name = f"{first} - {second} - printed ({theirs[first] - theirs[second]:+.1f})"
    values = _differences(evidence, first, second, "val_top5") - (theirs[first] - theirs[second])
    return [equivalence(Contrast(name, values), evidence.settings.tolerance, evidence.settings.level)]


def _increases(evidence: Evidence) -> pd.DataFrame | None:
    """Val top-5 of the replica's cut variants minus the base: rows random states, columns variants."""
    base = evidence.results.errors("krizhevsky", "val_top5")
    frame = pd.DataFrame({name: evidence.results.errors(run, "val_top5") - base for name, run in CUTS.items()})
    return None if frame.dropna().empty else frame.dropna()


# ---- pictures --------------------------------------------------------------------------------------------------------
def _together(evidence: Evidence, runs: Sequence[Run]) -> dict[int, np.ndarray] | None:
    """Per picture whether the mean softmax of these nets misses the label: {1: …, 5: …}, float (N,)."""
    wrong = {k: ensemble_misses(evidence.results, runs, k) for k in (1, 5)}
    return None if wrong[1] is None else {k: one.astype(float) for k, one in wrong.items()}


def _misses(evidence: Evidence, runs: Sequence[Run], centre: bool = False) -> dict[int, np.ndarray] | None:
    """Per net and picture whether the label is missed: {1: …, 5: …}, float (nets, N); None where a net lacks it."""
    found = [evidence.results.misses(run, centre) for run in runs]
    if not found or any(one is None for one in found):
        return None
    return {k: np.stack([one[k] for one in found]).astype(float) for k in (1, 5)}


def _over_pictures(evidence: Evidence, tables: Mapping[int, np.ndarray], reason: str) -> Finding:
    """Decide that differences (nets, pictures) of misses are below zero for both errors."""
    level = evidence.settings.level
    parts = [directed(f"top-{k}", _interval(table, level), above=False) for k, table in tables.items()]
    return conclude(parts, level, f"{reason}, all on the same {tables[1].shape[1]} pictures")


def _interval(table: np.ndarray, level: float):
    """Interval in points of the mean of (nets, pictures)."""
    nets, pictures = table.shape
    return nets_interval(
        100 * table.ravel(), np.repeat(np.arange(nets), pictures), np.tile(np.arange(pictures), nets), level
    )
