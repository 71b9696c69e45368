"""Claims about feature maps: Figures 2 and 4, over several seeds of the net of Figure 3 (see `across_nets`).

What Figure 2 shows is compared with the untrained net: it must be more than what random filters show.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from zfnet.paper.claims import visual_measures as measures
from zfnet.paper.claims.across_nets import against_untrained, arrays, over_nets, tables, untrained_arrays
from zfnet.paper.claims.verdicts import Evidence, Verdict, conclude, directed, not_run
from zfnet.paper.statistics import t_interval

NO_CONTROL = "too few feature maps of an untrained net respond to serve as a control"


# ---- Figure 2: strongest activations ---------------------------------------------------------------------------------
def maps_become_class_specific(evidence: Evidence) -> Verdict:
    """C35: a map's strongest images have fewer classes than random images, and the fewer the higher the layer."""
    shown, labels = tables(evidence, "features.csv"), _labels(evidence)
    trained = [_entropies(table) for table in shown]
    if not trained or labels is None:
        return not_run(f"needs {evidence.results.shown('features.csv')} and the labels of the validation images")
    if any(table["layer"].nunique() < 2 for table in trained):
        return not_run("needs maps of two layers that respond to all their images")
    untrained = [_entropies(measures.strongest_labels(array)) for array in _untrained(evidence)]
    top = max(table.groupby(["layer", "map"]).size().max() for table in shown)  # images per map
    chance = measures.random_entropy(labels, min(top, labels.size))
    bits, bits_untrained = ([table["bits"].to_numpy(float) for table in nets] for nets in (trained, untrained))
    slopes, slopes_untrained = (
        [_slopes(table["layer"].map(measures.depth).to_numpy(), table["bits"].to_numpy()) for table in nets]
        for nets in (trained, untrained)
    )
    parts = [
        over_nets(evidence.level, "bits, random - strongest", [chance - values for values in bits]),
        over_nets(evidence.level, "bits per layer", slopes, False),
    ]
    controls = [
        *against_untrained(evidence.level, "bits", bits, bits_untrained, False),
        *against_untrained(evidence.level, "bits per layer", slopes, slopes_untrained, False),
    ]
    partial = "" if len(controls) == 2 else NO_CONTROL
    return conclude(parts + controls, evidence.level, partial=partial, nets=len(trained))


def _entropies(table: pd.DataFrame) -> pd.DataFrame:
    """Return bits of the labels of each map that responds to all its images: columns layer, map, bits."""
    responds = table.groupby(["layer", "map"])["activation"].transform("min") > 0  # fewer images have fewer classes
    return table[responds].groupby(["layer", "map"])["label"].agg(measures.entropy).rename("bits").reset_index()


def invariance_grows(evidence: Evidence) -> Verdict:
    """C36: dissimilarity of a map's patches, relative to patches of other maps, grows with the layer."""
    trained = [measures.dissimilarities(array) for array in arrays(evidence, "features.safetensors")]
    if not trained:
        return not_run(f"needs {evidence.results.shown('features.safetensors')}")
    if any(np.unique(layers).size < 2 for layers, _ in trained):
        return not_run("needs maps of two layers that respond to all their images")
    untrained = [_slopes(*measures.dissimilarities(array)) for array in _untrained(evidence)]
    return _beside_untrained(evidence, "per layer", [_slopes(*terms) for terms in trained], untrained)


def patches_vary_more_than_projections(evidence: Evidence) -> Verdict:
    """C37: dissimilarity (1 - correlation) among patches minus that among projections of the same map, layers 2-5."""
    trained = [measures.patches_against_projections(array) for array in arrays(evidence, "features.safetensors")]
    if not trained or not all(values.size for values in trained):
        return not_run(f"needs {evidence.results.shown('features.safetensors')} with maps that respond to nine images")
    untrained = [measures.patches_against_projections(array) for array in _untrained(evidence)]
    return _beside_untrained(evidence, "patches - projections", trained, untrained)


def rectifying_is_clearer(evidence: Evidence) -> Verdict:
    """C41: Gini coefficient of a projection's energy, deconvnet minus forward mask, layers 2-5."""
    values = [measures.clearer(array) for array in arrays(evidence, "controls.safetensors")]
    if not values or not all(own.size for own in values):
        return not_run(f"needs {evidence.results.shown('controls.safetensors')} with maps that respond")
    part = over_nets(evidence.level, "Gini, deconvnet - mask", values)
    return conclude([part], evidence.level, partial="C38's ratio needs boxes around objects", nets=len(values))


# ---- Figure 4: evolution ---------------------------------------------------------------------------------------------
def top_layers_develop_later(evidence: Evidence) -> Verdict:
    """C39: first epoch at which a map's projection, and a whole layer, resembles its final state; conv5 minus conv1."""
    terms, wholes = [], []
    for array in arrays(evidence, "evolution.safetensors"):
        epochs = array["epochs"]
        maps = {layer: measures.developed(array[f"{layer}/projections"], epochs) for layer in ("conv1", "conv5")}
        if all(first.size > 1 for first in maps.values()) and "conv5/similarity" in array:
            terms.append(measures.difference_terms(maps["conv5"], maps["conv1"]))
            whole = {layer: measures.first_alike(array[f"{layer}/similarity"], epochs) for layer in ("conv1", "conv5")}
            wholes.append(whole["conv5"] - whole["conv1"])
    if not terms:
        name = evidence.results.shown("evolution.safetensors")
        return not_run(f"needs {name} with two maps of conv1 and conv5 that respond")
    parts = [
        over_nets(evidence.level, "epochs by projections, conv5 - conv1", terms, digits=1),
        directed("by CKA", t_interval(wholes, evidence.level), True),
    ]
    reason = f"cosine of projections and CKA from {measures.SIMILAR:g}"
    return conclude(parts, evidence.level, reason, nets=len(terms))


def jumps_are_changes_of_the_image(evidence: Evidence) -> Verdict:
    """C40: change of a projection between snapshots, when the strongest image changed minus when it did not."""
    terms = []
    runs = evidence.results.looked_at("evolution.safetensors")
    for run, array in zip(runs, arrays(evidence, "evolution.safetensors"), strict=True):
        table = evidence.results.frame(f"visualize/{run.name}/evolution.csv")
        changed, same = measures.jumps(array, table) if table is not None else (np.empty(0),) * 2
        if changed.size > 1 and same.size > 1:
            terms.append(measures.difference_terms(changed, same))
    if not terms:
        return not_run("needs two changes of the strongest image and two snapshots without a change")
    part = over_nets(evidence.level, "changed - same image", terms)
    return conclude([part], evidence.level, nets=len(terms))


DECIDED: dict[str, Callable[[Evidence], Verdict]] = {
    "C35": maps_become_class_specific,
    "C36": invariance_grows,
    "C37": patches_vary_more_than_projections,
    "C39": top_layers_develop_later,
    "C40": jumps_are_changes_of_the_image,
    "C41": rectifying_is_clearer,
}


def _beside_untrained(
    evidence: Evidence, name: str, trained: Sequence[np.ndarray], untrained: Sequence[np.ndarray]
) -> Verdict:
    """Decide that a mean over maps is above zero, and above that of the untrained nets."""
    controls = against_untrained(evidence.level, name, trained, untrained)
    parts = [over_nets(evidence.level, name, trained), *controls]
    return conclude(parts, evidence.level, partial="" if controls else NO_CONTROL, nets=len(trained))


def _untrained(evidence: Evidence) -> list[dict[str, np.ndarray]]:
    """Return what the untrained nets show, as arrays of Figure 2."""
    return [untrained_arrays(controls) for controls in arrays(evidence, "controls.safetensors")]


def _slopes(layers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the terms of a slope over layers; none if only one layer has maps that respond."""
    layers, values = np.asarray(layers, dtype=float), np.asarray(values, dtype=float)
    return measures.slope_terms(layers, values) if np.unique(layers).size > 1 else np.empty(0)


def _labels(evidence: Evidence) -> np.ndarray | None:
    """Return the labels of the validation images."""
    predictions = (evidence.results.predictions(run) for run in evidence.results.seeds("zf"))
    return next((labels for pair in predictions if pair is not None for labels in pair[1:]), None)
