"""Claims about ImageNet errors: Tables 2 and 3. The unit is a training; variants are paired by seed.

A claim is about weighted sums of the errors of variants, in percentage points: {"zf": 1, "krizhevsky": -1} is the first
minus the second. All trainings are evaluated on the same validation images; what their differences have in common on an
image widens the interval, which is then about images like these and not only about these. At the papers' full size a
difference must also come within `paper.published_tolerance` of the published one, or the claim stays open.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

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
REMOVED = {"no7": "krizhevsky-no7", "no67": "krizhevsky-no67", "no34": "krizhevsky-no34"}
BASE, ALL = "krizhevsky", "krizhevsky-no3467"
CUTS = {**REMOVED, "no3467": ALL}
JOINT = 25.0  # C7: points of top-5 that removing layers 3, 4, 6, 7 costs at full size
CUTS_MISSING = "needs the replica and its four cut variants"
NETS_MISSING = "needs the predictions of at least three seeds of the net as per Fig. 3"


def replica_reproduces(evidence: Evidence) -> Verdict:
    """C1: at full size, replica minus published top-5 within the tolerance, and two halves of the images agree."""
    if not evidence.full_size:
        return not_run("needs the full size; at a smaller one, a second training with the recipe of the 2012 code")
    misses = _misses(evidence, evidence.results.seeds(BASE))
    if misses is None or not _trained(evidence, BASE):
        return not_run("needs an evaluated training of the replica")
    theirs, settings = float(published.table(2)["val_top5"].loc["krizhevsky"]), evidence.settings
    sign = np.where(np.arange(misses[5].shape[1]) % 2, -2.0, 2.0)  # a mean of these is the difference of the halves
    halves = _interval(misses[5] * sign, equivalence_level(settings.confidence_level))
    parts = [
        _alike(evidence, f"val top-5 - {theirs:g}", {BASE: 1}, settings.published_tolerance, theirs),
        equal("one half of the images - the other", halves, settings.published_tolerance),
    ]
    return conclude(
        parts, settings.confidence_level, f"equivalence within ±{settings.published_tolerance:g} points of top-5"
    )


def zf_beats_krizhevsky(evidence: Evidence) -> Verdict:
    """C2: ZF minus replica is below zero."""
    return _compare(evidence, "zf", "krizhevsky", BELOW)


def averaging_nets_helps(evidence: Evidence) -> Verdict:
    """C3: error of the mean softmax minus that of each of its nets."""
    runs = evidence.results.seeds("zf")
    together, singles = _together(evidence, runs), _misses(evidence, runs)
    if together is None or singles is None or len(runs) < 2:
        return not_run(NETS_MISSING)
    tables = {k: together[k] - singles[k] for k in (1, 5)}  # (nets, images)
    return _over_images(evidence, tables, f"{len(runs)} nets")


def wide_middle_helps(evidence: Evidence) -> Verdict:
    """C4: wide minus base is below zero on validation and training images."""
    return _compare(evidence, "zf-wide", "zf", dict.fromkeys(TOP, False))


def wide_net_improves_ensemble(evidence: Evidence) -> Verdict:
    """C5: one net of the ensemble exchanged for the wide one of its seed, so that both have the same number of nets."""
    base, wide = (evidence.results.seeds(variant) for variant in ("zf", "zf-wide"))
    wide_of = {run.seed: run for run in wide}
    mixed = [[wide_of[run.seed] if run is out else run for run in base] for out in base if out.seed in wide_of]
    alike = _together(evidence, base)
    exchanged = [misses for runs in mixed if (misses := _together(evidence, runs)) is not None]
    if len(base) < 2 or alike is None or not exchanged or len(exchanged) < len(mixed):
        return not_run(f"{NETS_MISSING}, and of the wide one")
    tables = {k: np.stack([misses[k] - alike[k] for misses in exchanged]) for k in (1, 5)}
    return _over_images(evidence, tables, f"{len(base)} nets on both sides")


def removing_few_costs_little(evidence: Evidence) -> Verdict:
    """C6: each increase of C6 minus a third of C7's increase is below zero (val top-5)."""
    third = {ALL: -1 / 3, BASE: -2 / 3}
    parts = {f"{name} - no3467/3": {variant: 1, **third} for name, variant in REMOVED.items()}
    as_published = [part for variant in REMOVED.values() for part in _as_published(evidence, variant, BASE)]
    return _cuts(evidence, parts, False, as_published)


def removing_all_is_catastrophic(evidence: Evidence) -> Verdict:
    """C7: removing 3, 4, 6, 7 costs more than three times each of the others; 25 points at full size (val top-5)."""
    parts = {"no3467 - base": {ALL: 1, BASE: -1}}
    parts |= {f"no3467 - 3 x {name}": {ALL: 1, variant: -3, BASE: 2} for name, variant in REMOVED.items()}
    if not evidence.full_size:
        return _cuts(evidence, parts, True, reason="25 points are required at full size only")
    joint = directed(f"no3467 - base - {JOINT:g}", _of_errors(evidence, {ALL: 1, BASE: -1}, shift=JOINT), True)
    return _cuts(evidence, parts, True, [joint])


def depth_matters(evidence: Evidence) -> Verdict:
    """C8: the joint removal costs more than the sum of its parts (val top-5)."""
    interaction = {ALL: 1, REMOVED["no34"]: -1, REMOVED["no67"]: -1, BASE: 1}
    return _cuts(evidence, {"interaction": interaction}, True)


def units_matter_little(evidence: Evidence) -> Verdict:
    """C9: half and twice the units of layers 6 and 7 stay within the margin (top-5)."""
    margin = evidence.settings.margin_units
    pairs = [(f"{base}-fc{units}", base) for base in ("krizhevsky", "zf") for units in (2048, 8192)]
    if not all(_trained(evidence, *pair) for pair in pairs):
        return not_run("needs both nets and their variants of half and twice the units")
    parts = [_alike(evidence, variant, {variant: 1, base: -1}, margin) for variant, base in pairs]
    return conclude(parts, evidence.level, f"equivalence within ±{margin:g} points of top-5")


def wide_everywhere_overfits(evidence: Evidence) -> Verdict:
    """C10: wide convolutions with wide FC layers minus the former alone: up on validation, down on training."""
    return _compare(evidence, "zf-wide-fc8192", "zf-wide", {"val_top1": True, "val_top5": True, "train_top1": False})


def damage_is_not_ordered_by_parameters(evidence: Evidence) -> Verdict:
    """C11: layer 7 < layers 3, 4 < layers 6, 7 < all four (val top-5)."""
    steps = pairwise(("no7", "no34", "no67", "no3467"))
    return _cuts(evidence, {f"{more} - {less}": {CUTS[more]: 1, CUTS[less]: -1} for less, more in steps}, True)


def clipping_is_crucial(evidence: Evidence) -> Verdict:
    """C15: without minus with renormalisation is above zero, in all conv layers together."""
    directions = {"val_top1": True, "val_top5": True}
    return _compare(evidence, "zf-unclipped", "zf", directions, partial="layer 1 alone is not trained")


def design_gives_a_boost(evidence: Evidence) -> Verdict:
    """C16: the total of all design changes; their single effects are not trained."""
    note = "total only: filter size and strides are not varied alone, and the recipes differ in clipping and biases"
    return _compare(evidence, "zf", "krizhevsky", BELOW, partial=note)


def ten_crops_help(evidence: Evidence) -> Verdict:
    """C51: ten crops minus centre crop is below zero, over the seeds of the replica."""
    runs = evidence.results.seeds(BASE)
    ten, centre = _misses(evidence, runs), _misses(evidence, runs, centre=True)
    if ten is None or centre is None:
        return not_run("needs centre-crop and ten-crop predictions of the replica")
    return _over_images(evidence, {k: ten[k] - centre[k] for k in (1, 5)}, f"{len(runs)} nets")


DECIDED: dict[str, Callable[[Evidence], Verdict]] = {
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
def _trained(evidence: Evidence, *variants: str, measure: str = "val_top5") -> bool:
    """Return whether some seed of all these variants was trained and evaluated."""
    return len(_errors(evidence, variants, measure)) > 0


def _errors(evidence: Evidence, variants: Iterable[str], measure: str) -> pd.DataFrame:
    """Return one error of several variants: rows the seeds that all of them have, columns variants."""
    return pd.DataFrame({name: evidence.results.errors(name, measure) for name in variants}).dropna()


def _of_errors(
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
    errors = _errors(evidence, weights, measure)
    misses = _weighted_misses(evidence, weights, errors.index, measure)
    if misses is None:
        interval = t_interval(errors.to_numpy() @ np.array(list(weights.values()), dtype=float), level)
    else:
        interval = _interval(misses, level)
    return replace(interval, value=interval.value - shift)


def _weighted_misses(
    evidence: Evidence, weights: Mapping[str, float], seeds: Iterable[int], measure: str
) -> np.ndarray | None:
    """Return the weighted sum of the variants' misses, float (nets, images); None if they are not known."""
    part, k = measure.split("_top")
    tables = []
    for variant, weight in weights.items():
        runs = {run.seed: run for run in evidence.results.seeds(variant)}
        misses = _misses(evidence, [runs[seed] for seed in seeds]) if part == "val" else None
        if misses is None:
            return None
        tables.append(weight * misses[int(k)])
    return np.sum(tables, axis=0)


def _alike(evidence: Evidence, name: str, weights: Mapping[str, float], margin: float, shift: float = 0.0) -> Part:
    """Return a part that claims that a weighted sum of top-5 errors is `shift`, within the margin."""
    level = equivalence_level(evidence.level)
    return equal(name, _of_errors(evidence, weights, shift=shift, level=level), margin)


def _compare(evidence: Evidence, first: str, second: str, directions: Mapping[str, bool], partial: str = "") -> Verdict:
    """Decide first - second for several errors; directions say which are claimed above zero."""
    if not all(_trained(evidence, first, second, measure=measure) for measure in directions):
        return not_run(f"needs evaluated trainings of {first} and {second} with the same seed")
    weights = {first: 1, second: -1}
    parts = [directed(TOP[name], _of_errors(evidence, weights, name), above) for name, above in directions.items()]
    return conclude(parts + _as_published(evidence, first, second), evidence.level, partial=partial)


def _cuts(
    evidence: Evidence,
    sums: Mapping[str, Mapping[str, float]],
    above: bool,
    more: Sequence[Part] = (),
    reason: str = "",
) -> Verdict:
    """Decide weighted sums of the top-5 errors of the replica and its cut variants, all above (below) zero."""
    if not _trained(evidence, BASE, *CUTS.values()):
        return not_run(CUTS_MISSING)
    parts = [directed(name, _of_errors(evidence, weights), above) for name, weights in sums.items()]
    return conclude([*parts, *more], evidence.level, reason)


def _as_published(evidence: Evidence, first: str, second: str) -> list[Part]:
    """Return, at full size, the part that first - second in top-5 is the published difference within the tolerance."""
    theirs = published.table(3)["val_top5"]
    if not evidence.full_size or not {first, second} <= set(theirs.index) or not _trained(evidence, first, second):
        return []
    shift = float(theirs[first] - theirs[second])
    name = f"{first} - {second} - published ({shift:+.1f})"
    return [control(_alike(evidence, name, {first: 1, second: -1}, evidence.settings.published_tolerance, shift))]


# ---- images ----------------------------------------------------------------------------------------------------------
def _together(evidence: Evidence, runs: Sequence[Run]) -> dict[int, np.ndarray] | None:
    """Return whether the mean softmax of these nets misses each image's label: {1: …, 5: …}, float (N,)."""
    wrong = {k: ensemble_misses(evidence.results, runs, k) for k in (1, 5)}
    known = {k: missed.astype(float) for k, missed in wrong.items() if missed is not None}
    return known if len(known) == len(wrong) else None


def _misses(evidence: Evidence, runs: Sequence[Run], centre: bool = False) -> dict[int, np.ndarray] | None:
    """Return whether each net misses each image's label: {1: …, 5: …}, float (nets, N); None if a net lacks it."""
    misses = [own for run in runs if (own := evidence.results.misses(run, centre)) is not None]
    if not misses or len(misses) < len(runs):
        return None
    return {k: np.stack([own[k] for own in misses]).astype(float) for k in (1, 5)}


def _over_images(evidence: Evidence, tables: Mapping[int, np.ndarray], reason: str) -> Verdict:
    """Decide that differences (nets, images) of misses are below zero for both errors."""
    level = evidence.level
    parts = [directed(f"top-{k}", _interval(table, level), above=False) for k, table in tables.items()]
    return conclude(parts, level, f"{reason}, all on the same {tables[1].shape[1]} images")


def _interval(table: np.ndarray, level: float) -> Interval:
    """Return the interval in points of the mean of (nets, images)."""
    nets, images = table.shape
    return nets_interval(
        100 * table.ravel(), np.repeat(np.arange(nets), images), np.tile(np.arange(images), nets), level
    )
