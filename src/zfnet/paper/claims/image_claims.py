"""Claims about images that are transformed, covered or masked, and about their neighbours (Figures 5, 7, Table 1).

They are measured on several seeds of the net of Figure 3 (see `across_nets`). Figures 5 and 7 use images that a net
classifies correctly, so nets share some of them; all nets share the dogs and the neighbours.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd

from zfnet.paper.claims import visual_measures as measures
from zfnet.paper.claims.across_nets import arrays, over_nets, tables
from zfnet.paper.claims.verdicts import Evidence, Verdict, conclude, control, not_run

PARTS = ("right eye", "left eye", "nose")
ANIMALS = 20  # fewer do not decide C30
LOST = 0.5  # fraction of P(true) lost at its minimum, below which the place of the minimum means nothing (C33)


# ---- Figure 5: invariance --------------------------------------------------------------------------------------------
def layer_one_jumps_layer_seven_glides(evidence: Evidence) -> Verdict:
    """C26: layer 1 reaches more of its final distance at the smallest step; layer 7 is closer to a straight line."""
    curves, parts = tables(evidence, "invariance.csv"), []
    if not curves:
        return not_run(f"needs {evidence.results.shown('invariance.csv')}")
    for transform in ("vertical", "scale"):
        shapes = [measures.shapes(table, transform) for table in curves]
        jumps = [shape["jump_conv1"] - shape["jump_fc7"] for shape in shapes]
        lines = [shape["line_fc7"] - shape["line_conv1"] for shape in shapes]
        parts += [over_nets(evidence.level, f"{transform}: first step, conv1 - fc7", jumps)]
        parts += [over_nets(evidence.level, f"{transform}: R² of a line, fc7 - conv1", lines)]
    return conclude(parts, evidence.level, nets=len(curves))


def output_is_stable_to_shift_and_scale(evidence: Evidence) -> Verdict:
    """C27: the true class loses less under translation and under scaling than under rotation."""
    losses = [measures.losses(table) for table in tables(evidence, "invariance.csv")]
    if not losses:
        return not_run(f"needs {evidence.results.shown('invariance.csv')}")
    parts = [
        over_nets(evidence.level, f"rotation - {name}", [loss["rotation"] - loss[name] for loss in losses])
        for name in ("vertical", "scale")
    ]
    return conclude(parts, evidence.level, "mean loss of P(true class)", nets=len(losses))


def output_is_not_invariant_to_rotation(evidence: Evidence) -> Verdict:
    """C28: the true class loses under rotation; symmetric objects are not labelled."""
    losses = [measures.losses(table) for table in tables(evidence, "invariance.csv")]
    if not losses:
        return not_run(f"needs {evidence.results.shown('invariance.csv')}")
    part = over_nets(evidence.level, "loss under rotation", [loss["rotation"] for loss in losses])
    partial = "no objects were labelled symmetric beforehand"
    return conclude([part], evidence.level, partial=partial, nets=len(losses))


def horizontal_moves_less(evidence: Evidence) -> Verdict:
    """C29: fc7 distance under vertical minus horizontal translation of equal size."""
    curves = tables(evidence, "invariance.csv")
    if not curves or not all("horizontal" in set(table["transform"]) for table in curves):
        return not_run(f"needs {evidence.results.shown('invariance.csv')} with both translations")
    means = [table.groupby(["transform", "key"])["fc7_relative"].mean() for table in curves]
    part = over_nets(evidence.level, "vertical - horizontal", [mean["vertical"] - mean["horizontal"] for mean in means])
    return conclude([part], evidence.level, nets=len(curves))


# ---- Figure 7: occlusion ---------------------------------------------------------------------------------------------
def projections_show_what_the_map_needs(evidence: Evidence) -> Verdict:
    """C32: covering what the strongest map's projection shows costs that map most, more than what another's shows."""
    covered = _covered(evidence)
    if not covered:
        return not_run(f"needs {evidence.results.shown('occlusion.csv')} with images to which two maps respond")
    parts = [
        over_nets(evidence.level, "rank correlation", [table["own"] for table in covered]),
        over_nets(
            evidence.level, "own - another map's projection", [table["own"] - table["control"] for table in covered]
        ),
    ]
    return conclude(parts, evidence.level, nets=len(covered))


def map_and_classifier_can_differ(evidence: Evidence) -> Verdict:
    """C33: for some images map and classifier lose most at different places, and one map alone is hardly missed."""
    covered, few = _covered(evidence), evidence.settings.max_disagreeing_fraction
    if not covered:
        return not_run(f"needs {evidence.results.shown('occlusion.csv')} with images to which two maps respond")
    parts = [
        over_nets(evidence.level, f"fraction apart - {few:g}", [_apart(table) - few for table in covered]),
        over_nets(evidence.level, "P(true) left without the map - 0.5", [_left(table) - 0.5 for table in covered]),
    ]
    alike = np.mean([table["alike"].mean() for table in covered])
    reason = f"mean rank correlation of map and classifier {alike:+.2f}"
    return conclude(parts, evidence.level, reason, nets=len(covered))


def _covered(evidence: Evidence) -> list[pd.DataFrame]:
    """Return the measurements on covered images of each net: rows images (by key)."""
    return [table.set_index("key") for table in tables(evidence, "occlusion.csv") if len(table)]


def _apart(covered: pd.DataFrame) -> pd.Series:
    """Return whether map and classifier lose most more than one square apart, and both a lot: 0 or 1 per image."""
    return ((covered["apart"] > 1) & (covered["lost"] > LOST)).astype(float)


def _left(covered: pd.DataFrame) -> pd.Series:
    """Return the fraction of P(true) left without the map, at most 1."""
    return covered["left"].clip(upper=1)


# ---- Table 1: correspondence -----------------------------------------------------------------------------------------
def parts_correspond(evidence: Evidence) -> Verdict:
    """C30: random minus part is above zero at conv5, and the gap shrinks from conv5 to fc7; pairs share animals."""
    distances = [_distances(pairs) for pairs in tables(evidence, "correspondence-pairs.csv")]
    if not distances:
        return not_run(f"needs {evidence.results.shown('correspondence-pairs.csv')}")
    parts = [
        over_nets(evidence.level, name, [net[name] for net in distances], digits=3) for name in map(str, distances[0])
    ]
    animals = np.unique(distances[0].index.to_list()).size
    objection = f"fewer than {ANIMALS} animals" if animals < ANIMALS else ""
    reason = "pairs of one animal go together"
    return conclude(parts, evidence.level, reason, nets=len(distances), objection=objection)


def _distances(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return what C30 claims to be above zero: rows pairs of animals, columns differences."""
    wide = pairs.groupby(["first", "second", "layer", "location"])["distance"].mean().unstack(["layer", "location"])
    gaps = {
        layer: wide[layer, "random"] - cast(pd.DataFrame, wide[layer])[list(PARTS)].mean(axis=1)
        for layer in ("conv5", "fc7")
    }
    differences = {f"conv5: random - {part}": wide["conv5", "random"] - wide["conv5", part] for part in PARTS}
    return pd.DataFrame({**differences, "gap(conv5) - gap(fc7)": gaps["conv5"] - gaps["fc7"]})


# ---- Krizhevsky's Figure 4: neighbours -------------------------------------------------------------------------------
def neighbours_are_of_one_class(evidence: Evidence) -> Verdict:
    """C55: more of an image's six nearest in fc7 have its class than in pixels, and than untrained."""
    fractions = [measures.neighbours(array) for array in arrays(evidence, "controls.safetensors")]
    if not fractions:
        return not_run(f"needs {evidence.results.shown('controls.safetensors')}")
    against_pixels = [net["trained"] - net["pixels"] for net in fractions]
    against_untrained = [net["trained"] - net["untrained"] for net in fractions]
    parts = [
        over_nets(evidence.level, "fc7 - pixels", against_pixels),
        control(over_nets(evidence.level, "trained - untrained", against_untrained)),
    ]
    return conclude(parts, evidence.level, "fraction of six neighbours with the same class", nets=len(fractions))


DECIDED: dict[str, Callable[[Evidence], Verdict]] = {
    "C26": layer_one_jumps_layer_seven_glides,
    "C27": output_is_stable_to_shift_and_scale,
    "C28": output_is_not_invariant_to_rotation,
    "C29": horizontal_moves_less,
    "C30": parts_correspond,
    "C32": projections_show_what_the_map_needs,
    "C33": map_and_classifier_can_differ,
    "C55": neighbours_are_of_one_class,
}
