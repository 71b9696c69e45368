"""Claims about what nets see: Figures 2, 4, 5 and 7 and Table 1, over several random states of the net of Fig. 3.

Intervals are over nets; pictures and animals that several nets saw widen them (`zfnet.paper.statistics`). Fewer than
three nets decide nothing: their numbers are given, with an interval over maps, pictures or animals.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from zfnet.paper import visual_measures as measures
from zfnet.paper.findings import Evidence, Finding, Part, directed, not_run, of_nets, over_nets
from zfnet.paper.statistics import t_interval

PARTS = ("right eye", "left eye", "nose")
ANIMALS = 20  # fewer do not decide C30
TOP = 9  # pictures of a map


# ---- Figure 5: invariance --------------------------------------------------------------------------------------------
def layer_one_jumps_layer_seven_glides(evidence: Evidence) -> Finding:
    """C26: layer 1 reaches more of its final distance at the smallest step; layer 7 is closer to a straight line."""
    curves, parts = _curves(evidence), []
    if not curves:
        return not_run("needs visualize/zf-s1/invariance.csv")
    for transform in ("vertical", "scale"):
        shapes = [measures.shapes(one, transform) for one in curves]
        jumps, lines = [one["jump1"] - one["jump7"] for one in shapes], [one["line7"] - one["line1"] for one in shapes]
        parts += [_over_pictures(evidence, f"{transform}: first step, layer 1 - 7", jumps)]
        parts += [_over_pictures(evidence, f"{transform}: R² of a line, layer 7 - 1", lines)]
    return _of_nets(evidence, parts, len(curves))


def output_is_stable_to_shift_and_scale(evidence: Evidence) -> Finding:
    """C27: the true class loses less under translation and under scaling than under rotation."""
    losses = [measures.losses(one) for one in _curves(evidence)]
    if not losses:
        return not_run("needs visualize/zf-s1/invariance.csv")
    parts = [
        _over_pictures(evidence, f"rotation - {name}", [one["rotation"] - one[name] for one in losses])
        for name in ("vertical", "scale")
    ]
    return _of_nets(evidence, parts, len(losses), "mean loss of P(true class)")


def output_is_not_invariant_to_rotation(evidence: Evidence) -> Finding:
    """C28: the true class loses under rotation; symmetric objects are not labelled."""
    losses = [measures.losses(one) for one in _curves(evidence)]
    if not losses:
        return not_run("needs visualize/zf-s1/invariance.csv")
    parts = [_over_pictures(evidence, "loss under rotation", [one["rotation"] for one in losses])]
    return _of_nets(evidence, parts, len(losses), partial="no objects were labelled symmetric beforehand")


def horizontal_moves_less(evidence: Evidence) -> Finding:
    """C29: layer-7 distance under vertical minus horizontal shift of equal size."""
    curves = _curves(evidence)
    if not curves or not all("horizontal" in set(one["transform"]) for one in curves):
        return not_run("needs visualize/zf-s1/invariance.csv with both translations")
    means = [one.groupby(["transform", "key"])["layer7_relative"].mean() for one in curves]
    part = _over_pictures(evidence, "vertical - horizontal", [one["vertical"] - one["horizontal"] for one in means])
    return _of_nets(evidence, [part], len(curves))


# ---- Figure 7: occlusion ---------------------------------------------------------------------------------------------
def projections_show_what_the_map_needs(evidence: Evidence) -> Finding:
    """C32: covering what the strongest map's projection shows costs that map most, more than what another's shows."""
    tables = _covered(evidence)
    if not tables:
        return not_run("needs visualize/zf-s1/occlusion.csv with pictures in which two maps respond")
    parts = [
        _over_pictures(evidence, "rank correlation", [one["own"] for one in tables]),
        _over_pictures(evidence, "own - another map's projection", [one["own"] - one["control"] for one in tables]),
    ]
    return _of_nets(evidence, parts, len(tables))


def map_and_classifier_can_differ(evidence: Evidence) -> Finding:
    """C33: in some pictures map and classifier suffer most at different places, and one map alone is hardly missed."""
    tables, few = _covered(evidence), evidence.settings.few_apart
    if not tables:
        return not_run("needs visualize/zf-s1/occlusion.csv with pictures in which two maps respond")
    parts = [
        _over_pictures(evidence, f"share apart - {few:g}", [(one["apart"] > 1) - few for one in tables]),
        _over_pictures(evidence, "P(true) left without the map - 0.5", [one["left"] - 0.5 for one in tables]),
    ]
    alike = np.mean([one["alike"].mean() for one in tables])
    return _of_nets(evidence, parts, len(tables), f"mean rank correlation of map and classifier {alike:+.2f}")


# ---- Table 1: correspondence -----------------------------------------------------------------------------------------
def parts_correspond(evidence: Evidence) -> Finding:
    """C30: random minus part is above zero at layer 5, and the gap shrinks from layer 5 to 7; animals go together."""
    name = "correspondence-pairs.csv"
    runs, level = evidence.results.looked_at(name), evidence.settings.level
    tables = [_distances(evidence.results.frame(f"visualize/{run.name}/{name}")) for run in runs]
    if not tables:
        return not_run(f"needs visualize/zf-s1/{name}")
    animals = [np.array(one.index.to_list()) for one in tables]  # (pairs, 2) each
    parts = [
        over_nets(column, [one[column].to_numpy() for one in tables], True, level, 3, animals) for column in tables[0]
    ]
    few = f"fewer than {ANIMALS} animals" if np.unique(animals[0]).size < ANIMALS else ""
    return of_nets(parts, level, len(runs), "pairs of one animal go together", open=few)


def _distances(pairs: pd.DataFrame) -> pd.DataFrame:
    """What C30 says is above zero: rows pairs of animals, columns differences."""
    wide = pairs.groupby(["first", "second", "layer", "location"])["distance"].mean().unstack(["layer", "location"])
    found = {f"layer 5: random - {part}": wide[5, "random"] - wide[5, part] for part in PARTS}
    gaps = {layer: wide[layer, "random"] - wide[layer][list(PARTS)].mean(axis=1) for layer in (5, 7)}
    return pd.DataFrame({**found, "gap(5) - gap(7)": gaps[5] - gaps[7]})


# ---- Figure 2: strongest activations ---------------------------------------------------------------------------------
def maps_become_class_specific(evidence: Evidence) -> Finding:
    """C35: nine strongest pictures have fewer classes than nine random ones, the fewer the higher the layer."""
    runs, labels = evidence.results.looked_at("features.csv"), _labels(evidence)
    if not runs or labels is None:
        return not_run("needs visualize/zf-s1/features.csv and the labels of the validation pictures")
    tables = [_entropies(evidence.results.frame(f"visualize/{run.name}/features.csv")) for run in runs]
    if any(one["layer"].nunique() < 2 for one in tables):
        return not_run("needs maps of two layers that respond to all their pictures")
    chance, level = measures.random_entropy(labels, TOP), evidence.settings.level
    layers, bits = ([one[column].to_numpy(float) for one in tables] for column in ("layer", "bits"))
    slopes = [measures.slope_terms(*pair) for pair in zip(layers, bits, strict=True)]
    parts = [
        over_nets("bits, random - strongest nine", [chance - one for one in bits], True, level),
        over_nets("bits per layer", slopes, False, level),
    ]
    return _of_nets(evidence, parts, len(runs))


def _entropies(table: pd.DataFrame) -> pd.DataFrame:
    """Bits of the labels of each map that responds to all its pictures: columns layer, map, bits."""
    responds = table.groupby(["layer", "map"])["activation"].transform("min") > 0  # fewer pictures have fewer classes
    return table[responds].groupby(["layer", "map"])["label"].agg(measures.entropy).rename("bits").reset_index()


def invariance_grows(evidence: Evidence) -> Finding:
    """C36: dissimilarity of a map's patches, relative to patches of other maps, grows with the layer."""
    found = [measures.dissimilarities(one) for one in _arrays(evidence, "features")]
    if not found:
        return not_run("needs visualize/zf-s1/features.safetensors")
    if any(np.unique(layers).size < 2 for layers, _ in found):
        return not_run("needs maps of two layers that respond to all their pictures")
    slopes = [measures.slope_terms(layers, ratios) for layers, ratios in found]
    return _of_nets(evidence, [over_nets("per layer", slopes, True, evidence.settings.level)], len(found))


def patches_vary_more_than_projections(evidence: Evidence) -> Finding:
    """C37: dissimilarity (1 - correlation) among patches minus that among projections of the same map, layers 2-5."""
    found = [measures.patches_against_projections(one) for one in _arrays(evidence, "features")]
    if not found or not all(one.size for one in found):
        return not_run("needs visualize/zf-s1/features.safetensors with maps that respond to nine pictures")
    return _of_nets(evidence, [over_nets("patches - projections", found, True, evidence.settings.level)], len(found))


# ---- Figure 4: evolution ---------------------------------------------------------------------------------------------
def top_layers_develop_later(evidence: Evidence) -> Finding:
    """C39: first epoch at which a map's projection, and a whole layer, resembles its last state; layer 5 minus 1."""
    terms, wholes = [], []
    for arrays in _arrays(evidence, "evolution"):
        epochs = arrays["epochs"]
        maps = {layer: measures.developed(arrays[f"layer{layer}/projections"], epochs) for layer in (1, 5)}
        if all(first.size > 1 for first in maps.values()) and "layer5/similarity" in arrays:
            terms.append(measures.difference_terms(maps[5], maps[1]))
            whole = {layer: measures.first_alike(arrays[f"layer{layer}/similarity"], epochs) for layer in (1, 5)}
            wholes.append(whole[5] - whole[1])
    if not terms:
        return not_run("needs visualize/zf-s1/evolution.safetensors with two maps of layers 1 and 5 that respond")
    level = evidence.settings.level
    parts = [
        over_nets("epochs by projections, layer 5 - layer 1", terms, True, level, 1),
        directed("by CKA", t_interval(wholes, level), True),
    ]
    return _of_nets(evidence, parts, len(terms), f"cosine of projections and CKA from {measures.SIMILAR:g}")


def jumps_are_changes_of_the_picture(evidence: Evidence) -> Finding:
    """C40: change of a projection between snapshots, when the strongest picture changed minus when it did not."""
    terms = []
    runs = evidence.results.looked_at("evolution.safetensors")
    for run, arrays in zip(runs, _arrays(evidence, "evolution"), strict=True):
        table = evidence.results.frame(f"visualize/{run.name}/evolution.csv")
        changed, same = measures.jumps(arrays, table) if table is not None else (np.empty(0),) * 2
        if changed.size > 1 and same.size > 1:
            terms.append(measures.difference_terms(changed, same))
    if not terms:
        return not_run("needs two changes of the strongest picture and two snapshots where it stayed")
    return _of_nets(evidence, [over_nets("changed - same picture", terms, True, evidence.settings.level)], len(terms))


DECIDED: dict[str, Callable[[Evidence], Finding]] = {
    "C26": layer_one_jumps_layer_seven_glides,
    "C27": output_is_stable_to_shift_and_scale,
    "C28": output_is_not_invariant_to_rotation,
    "C29": horizontal_moves_less,
    "C30": parts_correspond,
    "C32": projections_show_what_the_map_needs,
    "C33": map_and_classifier_can_differ,
    "C35": maps_become_class_specific,
    "C36": invariance_grows,
    "C37": patches_vary_more_than_projections,
    "C39": top_layers_develop_later,
    "C40": jumps_are_changes_of_the_picture,
}


# ---- inputs and intervals --------------------------------------------------------------------------------------------
def _curves(evidence: Evidence) -> list[pd.DataFrame]:
    """The curves of Figure 5, net by net."""
    runs = evidence.results.looked_at("invariance.csv")
    return [evidence.results.frame(f"visualize/{run.name}/invariance.csv") for run in runs]


def _covered(evidence: Evidence) -> list[pd.DataFrame]:
    """What covering pictures says, net by net: rows pictures (by key)."""
    runs = evidence.results.looked_at("occlusion.csv")
    tables = [evidence.results.frame(f"visualize/{run.name}/occlusion.csv").set_index("key") for run in runs]
    return [one for one in tables if len(one)]


def _arrays(evidence: Evidence, what: str) -> list[dict[str, np.ndarray]]:
    """The arrays of a stage, net by net."""
    runs = evidence.results.looked_at(f"{what}.safetensors")
    return [evidence.results.arrays(f"visualize/{run.name}/{what}.safetensors") for run in runs]


def _labels(evidence: Evidence) -> np.ndarray | None:
    """The labels of the validation pictures."""
    found = (evidence.results.predictions(run) for run in evidence.results.seeds("zf"))
    return next((labels for pair in found if pair is not None for labels in pair[1:]), None)


def _over_pictures(evidence: Evidence, name: str, values: list[pd.Series]) -> Part:
    """A mean that is claimed above zero, of one value per picture and net; the index names the pictures."""
    units = [one.index.to_numpy(str) for one in values]
    return over_nets(name, [one.to_numpy() for one in values], True, evidence.settings.level, units=units)


def _of_nets(evidence: Evidence, parts: list[Part], nets: int, reason: str = "", partial: str = "") -> Finding:
    return of_nets(parts, evidence.settings.level, nets, reason, partial)
