"""Claims about feature maps: Figures 2 and 4, over several random states of the net of Fig. 3 (`zfnet.paper.claims.across_nets`).

What Figure 2 shows is held against the same of an untrained net: it must be more than what random filters show, too.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from zfnet.paper.claims import visual_measures as measures
from zfnet.paper.claims.across_nets import against_untrained, arrays, decided, of_untrained, over_maps, tables
from zfnet.paper.claims.verdicts import Evidence, Finding, directed, not_run
from zfnet.paper.statistics import t_interval

NO_CONTROL = "too few maps of an untrained net stand beside them"


# ---- Figure 2: strongest activations ---------------------------------------------------------------------------------
def maps_become_class_specific(evidence: Evidence) -> Finding:
    """C35: a map's strongest pictures have fewer classes than as many random ones, the fewer the higher the layer."""
    shown, labels = tables(evidence, "features.csv"), _labels(evidence)
    found = [_entropies(one) for one in shown]
    if not found or labels is None:
        return not_run("needs visualize/zf-s1/features.csv and the labels of the validation pictures")
    if any(one["layer"].nunique() < 2 for one in found):
        return not_run("needs maps of two layers that respond to all their pictures")
    bare = [_entropies(measures.strongest_labels(one)) for one in _untrained(evidence)]
    top = max(one.groupby(["layer", "map"]).size().max() for one in shown)  # pictures of a map
    chance = measures.random_entropy(labels, min(top, labels.size))
    bits, bits_of_bare = ([one["bits"].to_numpy(float) for one in which] for which in (found, bare))
    slopes, slopes_of_bare = ([_slopes(one["layer"], one["bits"]) for one in which] for which in (found, bare))
    parts = [
        over_maps(evidence, "bits, random - strongest", [chance - one for one in bits]),
        over_maps(evidence, "bits per layer", slopes, False),
    ]
    controls = [
        *against_untrained(evidence, "bits", bits, bits_of_bare, False),
        *against_untrained(evidence, "bits per layer", slopes, slopes_of_bare, False),
    ]
    return decided(evidence, parts + controls, len(found), partial="" if len(controls) == 2 else NO_CONTROL)


def _entropies(table: pd.DataFrame) -> pd.DataFrame:
    """Bits of the labels of each map that responds to all its pictures: columns layer, map, bits."""
    responds = table.groupby(["layer", "map"])["activation"].transform("min") > 0  # fewer pictures have fewer classes
    return table[responds].groupby(["layer", "map"])["label"].agg(measures.entropy).rename("bits").reset_index()


def invariance_grows(evidence: Evidence) -> Finding:
    """C36: dissimilarity of a map's patches, relative to patches of other maps, grows with the layer."""
    found = [measures.dissimilarities(one) for one in arrays(evidence, "features.safetensors")]
    if not found:
        return not_run("needs visualize/zf-s1/features.safetensors")
    if any(np.unique(layers).size < 2 for layers, _ in found):
        return not_run("needs maps of two layers that respond to all their pictures")
    bare = [_slopes(*measures.dissimilarities(one)) for one in _untrained(evidence)]
    return _beside_untrained(evidence, "per layer", [_slopes(*one) for one in found], bare)


def patches_vary_more_than_projections(evidence: Evidence) -> Finding:
    """C37: dissimilarity (1 - correlation) among patches minus that among projections of the same map, layers 2-5."""
    found = [measures.patches_against_projections(one) for one in arrays(evidence, "features.safetensors")]
    if not found or not all(one.size for one in found):
        return not_run("needs visualize/zf-s1/features.safetensors with maps that respond to nine pictures")
    bare = [measures.patches_against_projections(one) for one in _untrained(evidence)]
    return _beside_untrained(evidence, "patches - projections", found, bare)


def rectifying_is_clearer(evidence: Evidence) -> Finding:
    """C41: Gini coefficient of a projection's energy, deconvnet minus forward mask, layers 2-5."""
    found = [measures.clearer(one) for one in arrays(evidence, "controls.safetensors")]
    if not found or not all(one.size for one in found):
        return not_run("needs visualize/zf-s1/controls.safetensors with maps that respond")
    partial = "C38's ratio needs boxes around objects"
    return decided(evidence, [over_maps(evidence, "Gini, deconvnet - mask", found)], len(found), partial=partial)


# ---- Figure 4: evolution ---------------------------------------------------------------------------------------------
def top_layers_develop_later(evidence: Evidence) -> Finding:
    """C39: first epoch at which a map's projection, and a whole layer, resembles its last state; layer 5 minus 1."""
    terms, wholes = [], []
    for found in arrays(evidence, "evolution.safetensors"):
        epochs = found["epochs"]
        maps = {layer: measures.developed(found[f"layer{layer}/projections"], epochs) for layer in (1, 5)}
        if all(first.size > 1 for first in maps.values()) and "layer5/similarity" in found:
            terms.append(measures.difference_terms(maps[5], maps[1]))
            whole = {layer: measures.first_alike(found[f"layer{layer}/similarity"], epochs) for layer in (1, 5)}
            wholes.append(whole[5] - whole[1])
    if not terms:
        return not_run("needs visualize/zf-s1/evolution.safetensors with two maps of layers 1 and 5 that respond")
    parts = [
        over_maps(evidence, "epochs by projections, layer 5 - layer 1", terms, digits=1),
        directed("by CKA", t_interval(wholes, evidence.settings.confidence_level), True),
    ]
    return decided(evidence, parts, len(terms), f"cosine of projections and CKA from {measures.SIMILAR:g}")


def jumps_are_changes_of_the_picture(evidence: Evidence) -> Finding:
    """C40: change of a projection between snapshots, when the strongest picture changed minus when it did not."""
    terms = []
    runs = evidence.results.looked_at("evolution.safetensors")
    for run, found in zip(runs, arrays(evidence, "evolution.safetensors"), strict=True):
        table = evidence.results.frame(f"visualize/{run.name}/evolution.csv")
        changed, same = measures.jumps(found, table) if table is not None else (np.empty(0),) * 2
        if changed.size > 1 and same.size > 1:
            terms.append(measures.difference_terms(changed, same))
    if not terms:
        return not_run("needs two changes of the strongest picture and two snapshots where it stayed")
    return decided(evidence, [over_maps(evidence, "changed - same picture", terms)], len(terms))


DECIDED: dict[str, Callable[[Evidence], Finding]] = {
    "C35": maps_become_class_specific,
    "C36": invariance_grows,
    "C37": patches_vary_more_than_projections,
    "C39": top_layers_develop_later,
    "C40": jumps_are_changes_of_the_picture,
    "C41": rectifying_is_clearer,
}


def _beside_untrained(
    evidence: Evidence, name: str, trained: Sequence[np.ndarray], bare: Sequence[np.ndarray]
) -> Finding:
    """A mean over maps is above zero, and above that of the untrained nets."""
    controls = against_untrained(evidence, name, trained, bare)
    parts = [over_maps(evidence, name, trained), *controls]
    return decided(evidence, parts, len(trained), partial="" if controls else NO_CONTROL)


def _untrained(evidence: Evidence) -> list[dict[str, np.ndarray]]:
    """What the untrained nets show, as arrays of Figure 2."""
    return [of_untrained(one) for one in arrays(evidence, "controls.safetensors")]


def _slopes(layers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Terms of a slope over layers; none where only one layer has maps that respond."""
    layers, values = np.asarray(layers, dtype=float), np.asarray(values, dtype=float)
    return measures.slope_terms(layers, values) if np.unique(layers).size > 1 else np.empty(0)


def _labels(evidence: Evidence) -> np.ndarray | None:
    """The labels of the validation pictures."""
    found = (evidence.results.predictions(run) for run in evidence.results.seeds("zf"))
    return next((labels for pair in found if pair is not None for labels in pair[1:]), None)
