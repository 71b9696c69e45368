"""Claims about pictures that are moved, covered or masked, and about their neighbours (Figures 5 and 7, Table 1).

Several random states of the net of Fig. 3 are asked (`zfnet.paper.claims.across_nets`). Figures 5 and 7 take pictures that the net
knows, so nets share some of them; dogs and neighbours are the same for all.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from zfnet.paper.claims import visual_measures as measures
from zfnet.paper.claims.across_nets import arrays, decided, over_pictures, tables
from zfnet.paper.claims.verdicts import Evidence, Finding, control, not_run, of_nets, over_nets

PARTS = ("right eye", "left eye", "nose")
ANIMALS = 20  # fewer do not decide C30
LOST = 0.5  # share of P(true) lost at its smallest, below which where that is says nothing (C33)


# ---- Figure 5: invariance --------------------------------------------------------------------------------------------
def layer_one_jumps_layer_seven_glides(evidence: Evidence) -> Finding:
    """C26: layer 1 reaches more of its final distance at the smallest step; layer 7 is closer to a straight line."""
    curves, parts = tables(evidence, "invariance.csv"), []
    if not curves:
        return not_run("needs visualize/zf-s1/invariance.csv")
    for transform in ("vertical", "scale"):
        shapes = [measures.shapes(one, transform) for one in curves]
        jumps, lines = [one["jump1"] - one["jump7"] for one in shapes], [one["line7"] - one["line1"] for one in shapes]
        parts += [over_pictures(evidence, f"{transform}: first step, layer 1 - 7", jumps)]
        parts += [over_pictures(evidence, f"{transform}: R² of a line, layer 7 - 1", lines)]
    return decided(evidence, parts, len(curves))


def output_is_stable_to_shift_and_scale(evidence: Evidence) -> Finding:
    """C27: the true class loses less under translation and under scaling than under rotation."""
    losses = [measures.losses(one) for one in tables(evidence, "invariance.csv")]
    if not losses:
        return not_run("needs visualize/zf-s1/invariance.csv")
    parts = [
        over_pictures(evidence, f"rotation - {name}", [one["rotation"] - one[name] for one in losses])
        for name in ("vertical", "scale")
    ]
    return decided(evidence, parts, len(losses), "mean loss of P(true class)")


def output_is_not_invariant_to_rotation(evidence: Evidence) -> Finding:
    """C28: the true class loses under rotation; symmetric objects are not labelled."""
    losses = [measures.losses(one) for one in tables(evidence, "invariance.csv")]
    if not losses:
        return not_run("needs visualize/zf-s1/invariance.csv")
    parts = [over_pictures(evidence, "loss under rotation", [one["rotation"] for one in losses])]
    return decided(evidence, parts, len(losses), partial="no objects were labelled symmetric beforehand")


def horizontal_moves_less(evidence: Evidence) -> Finding:
    """C29: layer-7 distance under vertical minus horizontal shift of equal size."""
    curves = tables(evidence, "invariance.csv")
    if not curves or not all("horizontal" in set(one["transform"]) for one in curves):
        return not_run("needs visualize/zf-s1/invariance.csv with both translations")
    means = [one.groupby(["transform", "key"])["layer7_relative"].mean() for one in curves]
    part = over_pictures(evidence, "vertical - horizontal", [one["vertical"] - one["horizontal"] for one in means])
    return decided(evidence, [part], len(curves))


# ---- Figure 7: occlusion ---------------------------------------------------------------------------------------------
def projections_show_what_the_map_needs(evidence: Evidence) -> Finding:
    """C32: covering what the strongest map's projection shows costs that map most, more than what another's shows."""
    covered = _covered(evidence)
    if not covered:
        return not_run("needs visualize/zf-s1/occlusion.csv with pictures in which two maps respond")
    parts = [
        over_pictures(evidence, "rank correlation", [one["own"] for one in covered]),
        over_pictures(evidence, "own - another map's projection", [one["own"] - one["control"] for one in covered]),
    ]
    return decided(evidence, parts, len(covered))


def map_and_classifier_can_differ(evidence: Evidence) -> Finding:
    """C33: in some pictures map and classifier suffer most at different places, and one map alone is hardly missed."""
    covered, few = _covered(evidence), evidence.settings.max_disagreeing_fraction
    if not covered:
        return not_run("needs visualize/zf-s1/occlusion.csv with pictures in which two maps respond")
    parts = [
        over_pictures(evidence, f"share apart - {few:g}", [_apart(one) - few for one in covered]),
        over_pictures(evidence, "P(true) left without the map - 0.5", [_left(one) - 0.5 for one in covered]),
    ]
    alike = np.mean([one["alike"].mean() for one in covered])
    return decided(evidence, parts, len(covered), f"mean rank correlation of map and classifier {alike:+.2f}")


def _apart(covered: pd.DataFrame) -> pd.Series:
    """Whether map and classifier suffer most more than a square apart, both from it: 0 or 1 a picture."""
    return ((covered["apart"] > 1) & (covered["lost"] > LOST)).astype(float)


def _left(covered: pd.DataFrame) -> pd.Series:
    """Share of P(true) left without the map, at most all of it."""
    return covered["left"].clip(upper=1)


# ---- Table 1: correspondence -----------------------------------------------------------------------------------------
def parts_correspond(evidence: Evidence) -> Finding:
    """C30: random minus part is above zero at layer 5, and the gap shrinks from layer 5 to 7; animals go together."""
    name = "correspondence-pairs.csv"
    runs, level = evidence.results.looked_at(name), evidence.settings.confidence_level
    distances = [_distances(evidence.results.frame(f"visualize/{run.name}/{name}")) for run in runs]
    if not distances:
        return not_run(f"needs visualize/zf-s1/{name}")
    animals = [np.array(one.index.to_list()) for one in distances]  # (pairs, 2) each
    parts = [
        over_nets(column, [one[column].to_numpy() for one in distances], True, level, 3, animals)
        for column in distances[0]
    ]
    few = f"fewer than {ANIMALS} animals" if np.unique(animals[0]).size < ANIMALS else ""
    return of_nets(parts, level, len(runs), "pairs of one animal go together", open=few)


def _distances(pairs: pd.DataFrame) -> pd.DataFrame:
    """What C30 says is above zero: rows pairs of animals, columns differences."""
    wide = pairs.groupby(["first", "second", "layer", "location"])["distance"].mean().unstack(["layer", "location"])
    found = {f"layer 5: random - {part}": wide[5, "random"] - wide[5, part] for part in PARTS}
    gaps = {layer: wide[layer, "random"] - wide[layer][list(PARTS)].mean(axis=1) for layer in (5, 7)}
    return pd.DataFrame({**found, "gap(5) - gap(7)": gaps[5] - gaps[7]})


# ---- Krizhevsky's Figure 4: neighbours -------------------------------------------------------------------------------
def neighbours_are_of_one_class(evidence: Evidence) -> Finding:
    """C55: more of a picture's six nearest in layer 7 have its class than of those in pixels, and than untrained."""
    shares = [measures.neighbours(one) for one in arrays(evidence, "controls.safetensors")]
    if not shares:
        return not_run("needs visualize/zf-s1/controls.safetensors")
    parts = [
        over_pictures(evidence, "layer 7 - pixels", [one["trained"] - one["pixels"] for one in shares]),
        control(over_pictures(evidence, "trained - untrained", [one["trained"] - one["untrained"] for one in shares])),
    ]
    return decided(evidence, parts, len(shares), "share of six neighbours that have the class")


DECIDED: dict[str, Callable[[Evidence], Finding]] = {
    "C26": layer_one_jumps_layer_seven_glides,
    "C27": output_is_stable_to_shift_and_scale,
    "C28": output_is_not_invariant_to_rotation,
    "C29": horizontal_moves_less,
    "C30": parts_correspond,
    "C32": projections_show_what_the_map_needs,
    "C33": map_and_classifier_can_differ,
    "C55": neighbours_are_of_one_class,
}


def _covered(evidence: Evidence) -> list[pd.DataFrame]:
    """What covering pictures says, net by net: rows pictures (by key)."""
    return [one.set_index("key") for one in tables(evidence, "occlusion.csv") if len(one)]
