"""Claims about what is seen: Figures 2, 4, 5, 6 and Table 1. Units are feature maps, pictures or animals of one net.

Bootstrap over maps and animals, Student's t over the few pictures of Figure 5. One net only, where
PAPER.md 12.1 asks for three: the numbers and intervals are given, the verdicts stay open.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from zfnet.paper import visual_measures as measures
from zfnet.paper.findings import Contrast, Evidence, Finding, Part, conclude, contrast, directed, not_run
from zfnet.paper.statistics import Interval, bootstrap_clusters, bootstrap_mean

ONE_NET = "one net, where a claim needs three to hold"
PARTS = ("right eye", "left eye", "nose")
ANIMALS = 20  # fewer do not decide C30


# ---- Figure 6: filters -----------------------------------------------------------------------------------------------
def smaller_filters_are_more_distinctive(evidence: Evidence) -> Finding:
    """C12: Krizhevsky's first layer has less energy at middle frequencies and more dead filters than ours."""
    filters = _filters(evidence)
    if filters is None:
        return not_run("needs visualize/filters.csv")
    ours, theirs = filters.loc["zf-s1"], filters.loc["krizhevsky-s1"]
    middle = ours["middle"] / _total(ours) - theirs["middle"] / _total(theirs)
    dead = ours["dead"] / ours["filters"] - theirs["dead"] / theirs["filters"]
    parts = [_single("middle frequencies, ours - Krizhevsky", middle), _single("dead share, ours - Krizhevsky", dead)]
    return _of_one_net(parts)


def stride_four_aliases(evidence: Evidence) -> Finding:
    """C13: periodic energy of layer-2 projections and their change under a 1-px shift, stride 4 minus stride 2."""
    filters = _filters(evidence)
    if filters is None:
        return not_run("needs visualize/filters.csv")
    d = filters.loc["krizhevsky-s1"] - filters.loc["zf-s1"]
    names = {
        "aliasing": "block artefacts, stride 4 - stride 2",
        "shift": "change under a 1-px shift, stride 4 - stride 2",
    }
    return _of_one_net([_single(name, d[column], 3) for column, name in names.items()])


def clipping_prevents_dominance(evidence: Evidence) -> Finding:
    """C14: largest over median filter norm and the strongest filters' share, without minus with clipping."""
    filters = _filters(evidence)
    if filters is None or "zf-unclipped" not in filters.index:
        return not_run("needs visualize/filters.csv with the net without clipping")
    ratio = filters["norm_max"] / filters["norm_median"]
    share = filters.loc["zf-unclipped", "dominance"] - filters.loc["zf-s1", "dominance"]
    largest = _single("max/median, without - with", ratio["zf-unclipped"] - ratio["zf-s1"])
    return _of_one_net([largest, _single("variance share of the strongest 5, without - with", share)])


# ---- Figure 5: invariance --------------------------------------------------------------------------------------------
def layer_one_jumps_layer_seven_glides(evidence: Evidence) -> Finding:
    """C26: layer 1 reaches more of its final distance at the smallest step; layer 7 is closer to a straight line."""
    curves = evidence.results.frame("visualize/zf-s1/invariance.csv")
    if curves is None:
        return not_run("needs visualize/zf-s1/invariance.csv")
    parts = []
    for transform in ("vertical", "scale"):
        shapes = pd.DataFrame(
            [measures.shape(one, transform) for _, one in curves[curves["transform"] == transform].groupby("image")]
        )
        jump, line = shapes["jump1"] - shapes["jump7"], shapes["line7"] - shapes["line1"]
        parts += [_over_pictures(evidence, f"{transform}: first step, layer 1 - 7", jump)]
        parts += [_over_pictures(evidence, f"{transform}: R² of a line, layer 7 - 1", line)]
    return _of_one_net(parts)


def output_is_stable_to_shift_and_scale(evidence: Evidence) -> Finding:
    """C27: the true class loses less under translation and under scaling than under rotation."""
    losses = _losses(evidence)
    if losses is None:
        return not_run("needs visualize/zf-s1/invariance.csv")
    names = ("vertical", "scale")
    parts = [_over_pictures(evidence, f"rotation - {name}", losses["rotation"] - losses[name]) for name in names]
    return _of_one_net(parts, "mean loss of P(true class)")


def output_is_not_invariant_to_rotation(evidence: Evidence) -> Finding:
    """C28: the true class loses under rotation; symmetric objects are not labelled."""
    losses = _losses(evidence)
    if losses is None:
        return not_run("needs visualize/zf-s1/invariance.csv")
    part = _over_pictures(evidence, "loss under rotation", losses["rotation"])
    return _of_one_net([part], "no objects were labelled symmetric beforehand")


def horizontal_moves_less(evidence: Evidence) -> Finding:
    """C29: layer-7 distance under vertical minus horizontal shift of equal size."""
    curves = evidence.results.frame("visualize/zf-s1/invariance.csv")
    if curves is None or "horizontal" not in set(curves["transform"]):
        return not_run("needs visualize/zf-s1/invariance.csv with both translations")
    means = curves.groupby(["transform", "image"])["layer7_relative"].mean()
    return _of_one_net([_over_pictures(evidence, "vertical - horizontal", means["vertical"] - means["horizontal"])])


# ---- Table 1: correspondence -----------------------------------------------------------------------------------------
def parts_correspond(evidence: Evidence) -> Finding:
    """C30: random minus part is above zero at layer 5, and the gap shrinks from layer 5 to 7; animals resampled."""
    pairs = evidence.results.frame("visualize/zf-s1/correspondence-pairs.csv")
    if pairs is None:
        return not_run("needs visualize/zf-s1/correspondence-pairs.csv")
    wide = pairs.groupby(["first", "second", "layer", "location"])["distance"].mean().unstack(["layer", "location"])
    values = {f"layer 5: random - {part}": wide[5, "random"] - wide[5, part] for part in PARTS}
    gaps = {layer: wide[layer, "random"] - wide[layer][list(PARTS)].mean(axis=1) for layer in (5, 7)}
    values["gap(5) - gap(7)"] = gaps[5] - gaps[7]
    animals = pd.factorize(np.concatenate([wide.index.get_level_values(name) for name in ("first", "second")]))[0]
    clusters = animals.reshape(2, -1).T  # (pairs, 2)
    settings = evidence.settings
    parts = [
        directed(name, bootstrap_clusters(one, clusters, settings.level, settings.resamples), True, 3)
        for name, one in values.items()
    ]
    few = f"fewer than {ANIMALS} animals" if animals.max() + 1 < ANIMALS else ""
    return _of_one_net(parts, "; ".join(filter(None, [few, "animals resampled"])))


# ---- Figure 2: strongest activations ---------------------------------------------------------------------------------
def maps_become_class_specific(evidence: Evidence) -> Finding:
    """C35: entropy of the labels among the nine strongest pictures of a map falls with the layer."""
    table = evidence.results.frame("visualize/zf-s1/features.csv")
    if table is None:
        return not_run("needs visualize/zf-s1/features.csv")
    maps = table.groupby(["layer", "map"])
    responds = maps["activation"].transform("min") > 0  # fewer pictures would have fewer classes by themselves
    entropy = table[responds].groupby(["layer", "map"])["label"].agg(measures.entropy)
    layers = entropy.index.get_level_values("layer").to_numpy(float)
    return _over_layers(evidence, "bits per layer", layers, entropy.to_numpy(float), False)


def invariance_grows(evidence: Evidence) -> Finding:
    """C36: dissimilarity of a map's patches, relative to patches of other maps, grows with the layer."""
    arrays = _features(evidence)
    if arrays is None:
        return not_run("needs visualize/zf-s1/features.safetensors")
    layers, ratios = [], []
    for layer in range(1, 6):
        patches = arrays[f"layer{layer}/patches"][measures.alive(arrays[f"layer{layer}/projections"])].astype(
            np.float32
        )
        if len(patches) > 1:
            inside = measures.dissimilarity(patches)
            across = measures.dissimilarity(patches.swapaxes(0, 1)).mean()
            layers += [layer] * len(inside)
            ratios += list(inside / across)
    return _over_layers(evidence, "per layer", np.array(layers, float), np.array(ratios), True)


def patches_vary_more_than_projections(evidence: Evidence) -> Finding:
    """C37: dissimilarity (1 - correlation) among patches minus that among projections of the same map, layers 2-5."""
    arrays = _features(evidence)
    if arrays is None:
        return not_run("needs visualize/zf-s1/features.safetensors")
    differences = []
    for layer in range(2, 6):
        projections = arrays[f"layer{layer}/projections"]
        alive = measures.alive(projections)
        patches, projections = arrays[f"layer{layer}/patches"][alive], projections[alive]
        differences.append(measures.dissimilarity(patches) - measures.dissimilarity(projections))
    d = np.concatenate(differences)
    if not d.size:
        return not_run("needs maps that respond to nine pictures")
    return _of_one_net([_over_maps(evidence, "patches - projections", d, True)])


# ---- Figure 4: evolution ---------------------------------------------------------------------------------------------
def top_layers_develop_later(evidence: Evidence) -> Finding:
    """C39: first epoch at which a map's projection resembles its last one, layer 5 minus layer 1."""
    arrays = _evolution(evidence)
    if arrays is None:
        return not_run("needs visualize/zf-s1/evolution.safetensors")
    first = {layer: measures.developed(arrays[f"layer{layer}/projections"], arrays["epochs"]) for layer in (1, 5)}
    if not all(epochs.size > 1 for epochs in first.values()):
        return not_run("needs two maps of layer 1 and of layer 5 that respond at the end")
    part = _over_maps(evidence, "epochs, layer 5 - layer 1", measures.difference_terms(first[5], first[1]), True, 1)
    return _of_one_net([part], f"cosine of projections from {measures.SIMILAR:g}")


def jumps_are_changes_of_the_picture(evidence: Evidence) -> Finding:
    """C40: change of a projection between snapshots, when the strongest picture changed minus when it did not."""
    arrays, table = _evolution(evidence), evidence.results.frame("visualize/zf-s1/evolution.csv")
    if arrays is None or table is None:
        return not_run("needs visualize/zf-s1/evolution.safetensors and evolution.csv")
    jumps: dict[bool, list[float]] = {True: [], False: []}
    for layer in range(1, 6):
        keys = table[table["layer"] == layer].pivot(index="map", columns="epoch", values="key")
        maps, projections = arrays[f"layer{layer}/maps"], arrays[f"layer{layer}/projections"].astype(np.float32)
        changes = 1 - measures.cosine(projections[:, 1:], projections[:, :-1])  # (M, E - 1)
        changed = keys.loc[maps].to_numpy()
        silent = np.abs(projections).max((2, 3, 4)) == 0  # (M, E)
        responds = ~(silent[:, 1:] | silent[:, :-1])
        new = changed[:, 1:] != changed[:, :-1]
        for kind in jumps:
            jumps[kind] += changes[(new == kind) & responds].tolist()
    if not all(len(changes) > 1 for changes in jumps.values()):
        return not_run("needs two changes of the strongest picture and two snapshots where it stayed")
    terms = measures.difference_terms(np.array(jumps[True]), np.array(jumps[False]))
    return _of_one_net([_over_maps(evidence, "changed - same picture", terms, True)])


DECIDED: dict[str, Callable[[Evidence], Finding]] = {
    "C12": smaller_filters_are_more_distinctive,
    "C13": stride_four_aliases,
    "C14": clipping_prevents_dominance,
    "C26": layer_one_jumps_layer_seven_glides,
    "C27": output_is_stable_to_shift_and_scale,
    "C28": output_is_not_invariant_to_rotation,
    "C29": horizontal_moves_less,
    "C30": parts_correspond,
    "C35": maps_become_class_specific,
    "C36": invariance_grows,
    "C37": patches_vary_more_than_projections,
    "C39": top_layers_develop_later,
    "C40": jumps_are_changes_of_the_picture,
}


# ---- inputs and intervals --------------------------------------------------------------------------------------------
def _filters(evidence: Evidence) -> pd.DataFrame | None:
    """Numbers of Figure 6 by run, None without both designs."""
    found = evidence.results.frame("visualize/filters.csv")
    if found is None or not {"zf-s1", "krizhevsky-s1"} <= set(found["run"]):
        return None
    return found.set_index("run")


def _total(filters: pd.Series) -> float:
    return filters["low"] + filters["middle"] + filters["high"]


def _losses(evidence: Evidence) -> pd.DataFrame | None:
    curves = evidence.results.frame("visualize/zf-s1/invariance.csv")
    return None if curves is None else measures.losses(curves)


def _features(evidence: Evidence) -> dict[str, np.ndarray] | None:
    return _optional(evidence, "visualize/zf-s1/features.safetensors")


def _evolution(evidence: Evidence) -> dict[str, np.ndarray] | None:
    return _optional(evidence, "visualize/zf-s1/evolution.safetensors")


def _optional(evidence: Evidence, name: str) -> dict[str, np.ndarray] | None:
    return evidence.results.arrays(name) if (evidence.results.root / name).exists() else None


def _of_one_net(parts: Sequence[Part], reason: str = "") -> Finding:
    """What one net shows decides nothing, whichever way it points (PAPER.md 12.1)."""
    found = conclude(parts, "; ".join(filter(None, [ONE_NET, reason])))
    return replace(found, verdict="undecided")


def _single(name: str, value: float, digits: int = 2) -> Part:
    """A difference between two nets: one value, no interval."""
    return Part(name, Interval(float(value)), "undecided", digits)


def _over_pictures(evidence: Evidence, name: str, values: pd.Series) -> Part:
    part = contrast(Contrast(name, values.to_numpy(), True), evidence.settings.level)
    return Part(part.name, part.interval, part.verdict, 2)


def _over_maps(evidence: Evidence, name: str, values: np.ndarray, above: bool, digits: int = 2) -> Part:
    settings = evidence.settings
    return directed(name, bootstrap_mean(values, settings.level, settings.resamples), above, digits)


def _over_layers(evidence: Evidence, name: str, layers: np.ndarray, values: np.ndarray, above: bool) -> Finding:
    """Decide by the slope over layers of a value per map."""
    if np.unique(layers).size < 2:
        return not_run("needs maps of two layers that respond to all their pictures")
    return _of_one_net([_over_maps(evidence, name, measures.slope_terms(layers, values), above)])
