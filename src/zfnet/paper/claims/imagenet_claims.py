"""Claims about ImageNet errors: Tables 2 and 3. The unit is a training; variants are paired by seed.

`error_differences` says what is compared and over what intervals are taken.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from zfnet.paper import published
from zfnet.paper.claims.error_differences import (
    BELOW,
    TOP,
    alike,
    as_published,
    compare,
    misses_interval,
    nets_misses,
    of_errors,
    over_images,
    together_misses,
    trained,
)
from zfnet.paper.claims.verdicts import (
    Evidence,
    Part,
    Verdict,
    conclude,
    directed,
    equal,
    equivalence_level,
    not_run,
)

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
    misses = nets_misses(evidence, evidence.results.seeds(BASE))
    if misses is None or not trained(evidence, BASE):
        return not_run("needs an evaluated training of the replica")
    theirs, settings = float(published.table(2)["val_top5"].loc["krizhevsky"]), evidence.settings
    sign = np.where(np.arange(misses[5].shape[1]) % 2, -2.0, 2.0)  # a mean of these is the difference of the halves
    halves = misses_interval(misses[5] * sign, equivalence_level(settings.confidence_level))
    parts = [
        alike(evidence, f"val top-5 - {theirs:g}", {BASE: 1}, settings.published_tolerance, theirs),
        equal("one half of the images - the other", halves, settings.published_tolerance),
    ]
    return conclude(
        parts, settings.confidence_level, f"equivalence within ±{settings.published_tolerance:g} points of top-5"
    )


def zf_beats_krizhevsky(evidence: Evidence) -> Verdict:
    """C2: ZF minus replica is below zero."""
    return compare(evidence, "zf", "krizhevsky", BELOW)


def averaging_nets_helps(evidence: Evidence) -> Verdict:
    """C3: error of the mean softmax minus that of each of its nets."""
    runs = evidence.results.seeds("zf")
    together, singles = together_misses(evidence, runs), nets_misses(evidence, runs)
    if together is None or singles is None or len(runs) < 2:
        return not_run(NETS_MISSING)
    tables = {k: together[k] - singles[k] for k in (1, 5)}  # (nets, images)
    return over_images(evidence, tables, f"{len(runs)} nets")


def wide_middle_helps(evidence: Evidence) -> Verdict:
    """C4: wide minus base is below zero on validation and training images."""
    return compare(evidence, "zf-wide", "zf", dict.fromkeys(TOP, False))


def wide_net_improves_ensemble(evidence: Evidence) -> Verdict:
    """C5: one net of the ensemble exchanged for the wide one of its seed, so that both have the same number of nets."""
    base, wide = (evidence.results.seeds(variant) for variant in ("zf", "zf-wide"))
    wide_of = {run.seed: run for run in wide}
    mixed = [[wide_of[run.seed] if run is out else run for run in base] for out in base if out.seed in wide_of]
    plain = together_misses(evidence, base)
    exchanged = [misses for runs in mixed if (misses := together_misses(evidence, runs)) is not None]
    if len(base) < 2 or plain is None or not exchanged or len(exchanged) < len(mixed):
        return not_run(f"{NETS_MISSING}, and of the wide one")
    tables = {k: np.stack([misses[k] - plain[k] for misses in exchanged]) for k in (1, 5)}
    return over_images(evidence, tables, f"{len(base)} nets on both sides")


def removing_few_costs_little(evidence: Evidence) -> Verdict:
    """C6: each increase of C6 minus a third of C7's increase is below zero (val top-5)."""
    third = {ALL: -1 / 3, BASE: -2 / 3}
    parts = {f"{name} - no3467/3": {variant: 1, **third} for name, variant in REMOVED.items()}
    close = [part for variant in REMOVED.values() for part in as_published(evidence, variant, BASE)]
    return _cuts(evidence, parts, False, close)


def removing_all_is_catastrophic(evidence: Evidence) -> Verdict:
    """C7: removing 3, 4, 6, 7 costs more than three times each of the others; 25 points at full size (val top-5)."""
    parts = {"no3467 - base": {ALL: 1, BASE: -1}}
    parts |= {f"no3467 - 3 x {name}": {ALL: 1, variant: -3, BASE: 2} for name, variant in REMOVED.items()}
    if not evidence.full_size:
        return _cuts(evidence, parts, True, reason="25 points are required at full size only")
    joint = directed(f"no3467 - base - {JOINT:g}", of_errors(evidence, {ALL: 1, BASE: -1}, shift=JOINT), True)
    return _cuts(evidence, parts, True, [joint])


def depth_matters(evidence: Evidence) -> Verdict:
    """C8: the joint removal costs more than the sum of its parts (val top-5)."""
    interaction = {ALL: 1, REMOVED["no34"]: -1, REMOVED["no67"]: -1, BASE: 1}
    return _cuts(evidence, {"interaction": interaction}, True)


def units_matter_little(evidence: Evidence) -> Verdict:
    """C9: half and twice the units of layers 6 and 7 stay within the margin (top-5)."""
    margin = evidence.settings.margin_units
    pairs = [(f"{base}-fc{units}", base) for base in ("krizhevsky", "zf") for units in (2048, 8192)]
    if not all(trained(evidence, *pair) for pair in pairs):
        return not_run("needs both nets and their variants of half and twice the units")
    parts = [alike(evidence, variant, {variant: 1, base: -1}, margin) for variant, base in pairs]
    return conclude(parts, evidence.level, f"equivalence within ±{margin:g} points of top-5")


def wide_everywhere_overfits(evidence: Evidence) -> Verdict:
    """C10: wide convolutions with wide FC layers minus the former alone: up on validation, down on training."""
    return compare(evidence, "zf-wide-fc8192", "zf-wide", {"val_top1": True, "val_top5": True, "train_top1": False})


def damage_is_not_ordered_by_parameters(evidence: Evidence) -> Verdict:
    """C11: layer 7 < layers 3, 4 < layers 6, 7 < all four (val top-5)."""
    steps = pairwise(("no7", "no34", "no67", "no3467"))
    return _cuts(evidence, {f"{more} - {less}": {CUTS[more]: 1, CUTS[less]: -1} for less, more in steps}, True)


def clipping_is_crucial(evidence: Evidence) -> Verdict:
    """C15: without minus with renormalisation is above zero, in all conv layers together."""
    directions = {"val_top1": True, "val_top5": True}
    return compare(evidence, "zf-unclipped", "zf", directions, partial="layer 1 alone is not trained")


def design_gives_a_boost(evidence: Evidence) -> Verdict:
    """C16: the total of all design changes; their single effects are not trained."""
    note = "total only: filter size and strides are not varied alone, and the recipes differ in clipping and biases"
    return compare(evidence, "zf", "krizhevsky", BELOW, partial=note)


def ten_crops_help(evidence: Evidence) -> Verdict:
    """C51: ten crops minus centre crop is below zero, over the seeds of the replica."""
    runs = evidence.results.seeds(BASE)
    ten, centre = nets_misses(evidence, runs), nets_misses(evidence, runs, centre=True)
    if ten is None or centre is None:
        return not_run("needs centre-crop and ten-crop predictions of the replica")
    return over_images(evidence, {k: ten[k] - centre[k] for k in (1, 5)}, f"{len(runs)} nets")


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


# ---- the replica and its cut variants --------------------------------------------------------------------------------
def _cuts(
    evidence: Evidence,
    sums: Mapping[str, Mapping[str, float]],
    above: bool,
    more: Sequence[Part] = (),
    reason: str = "",
) -> Verdict:
    """Decide weighted sums of the top-5 errors of the replica and its cut variants, all above (below) zero."""
    if not trained(evidence, BASE, *CUTS.values()):
        return not_run(CUTS_MISSING)
    parts = [directed(name, of_errors(evidence, weights), above) for name, weights in sums.items()]
    return conclude([*parts, *more], evidence.level, reason)
