"""Claims about Caltech: Tables 4, 5 and 7, Figure 9, near-duplicates. The unit is a train/test fold, paired by number.

Training sets of folds overlap, so intervals carry Nadeau and Bengio's correction. Accuracies in percentage points.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from zfnet.paper import printed
from zfnet.paper.findings import Contrast, Evidence, Finding, conclude, contrast, equivalence, family, not_run, paired
from zfnet.paper.paired import head_folds, scratch_folds
from zfnet.paper.results import Results
from zfnet.paper.table7 import NAMES
from zfnet.paper.table7 import size as layer_size

CLASSES = {"caltech101": (101, 102), "caltech256": (256, 257)}
LAYERS = (1, 2, 3, 4, 5, 7)
MARGIN_HEADS = 1.5  # C25, D27


def pretrained_beats_hand_made_101(evidence: Evidence) -> Finding:
    """C17: pre-trained features against the best printed hand-made ones on Caltech-101."""
    return _against_printed(evidence, "caltech101", {15: 73.2, 30: printed.text()["best_caltech101"]})


def pretrained_beats_hand_made_256(evidence: Evidence) -> Finding:
    """C18: the same on Caltech-256 at every size, Holm."""
    theirs = printed.table(5).loc["bo"]
    return _against_printed(evidence, "caltech256", {size: theirs[f"size{size}"] for size in (15, 30, 45, 60)})


def scratch_fails(evidence: Evidence) -> Finding:
    """C19: pre-trained minus from scratch is above zero at every size, and shrinks with the size."""
    contrasts, slopes = [], []
    for dataset, name in NAMES.items():
        gaps = _gaps(evidence.results, dataset)
        shares = [_test_share(evidence.results, dataset, size) for size in gaps]
        contrasts += [
            Contrast(f"{name}, {size}", gaps[size].dropna(), True, share)
            for size, share in zip(gaps, shares, strict=True)
        ]
        if gaps.shape[1] > 1:
            slope = np.polyfit(gaps.columns.to_numpy(float), gaps.dropna().to_numpy().T, 1)[0]
            slopes.append(Contrast(f"{name}, slope x 10 images", slope * 10, False, max(shares)))
    if not contrasts:
        return not_run("needs nets trained on the small sets alone, on the same folds")
    level = evidence.settings.level
    return conclude([*family(contrasts, level), *(contrast(one, level) for one in slopes)], "Holm over the sizes")


def duplicates_are_few(evidence: Evidence) -> Finding:
    """C20: how many near-duplicates were found, with exact binomial intervals; 'few' has no threshold."""
    found = evidence.results.json("transfer/duplicates.json")
    if found is None:
        return not_run("needs transfer/duplicates.json")
    ours, intervals = [], []
    for name, count in found["counts"].items():
        share = stats.binomtest(count["found"], max(count["images"], 1)).proportion_ci(evidence.settings.level)
        ours.append(f"{name} {count['found']} of {count['images']}, at most {count['most_in_one_class']} in a class")
        intervals.append(f"{name} [{share.low * 100:.2f}, {share.high * 100:.2f}] %")
    reason = "'few' has no threshold, and transfer is trained without the duplicates only"
    return Finding("undecided", "; ".join(ours), "; ".join(intervals), reason)


def six_images_are_enough(evidence: Evidence) -> Finding:
    """C21: pre-trained features with 6 images per class are above Bo et al. with 60, on the full archive alone."""
    results, best = evidence.results, printed.text()["best_caltech256"]
    six, sixty = head_folds(results, "caltech256", "softmax", 7, 6), scratch_folds(results, "caltech256", 60)
    if not len(six):
        return not_run("needs 6 images per class on Caltech-256")
    if not _is_full(results, "caltech256"):
        shown = {"6 per class": six, "from scratch with 60": sixty}
        text = "; ".join(f"{name} {values.mean():.1f}" for name, values in shown.items() if len(values))
        return not_run(
            f"the printed {best:g} counts on the full archive only, and no hand-made baseline is trained", text
        )
    one = Contrast(f"6 per class - {best:g}", six - best, True, _test_share(results, "caltech256", 6))
    return conclude([contrast(one, evidence.settings.level)], "against the printed Bo et al. at 60 per class")


def features_improve_with_depth(evidence: Evidence) -> Finding:
    """C24: every layer is better than the one before (SVM 1-5, 7 and softmax 5, 7), Holm over all steps."""
    steps = [("svm", low, high) for low, high in pairwise(LAYERS)] + [("softmax", 5, 7)]
    contrasts = []
    for dataset in NAMES:
        size = layer_size(evidence.results, dataset)
        for head, low, high in steps:
            deeper, below = (head_folds(evidence.results, dataset, head, layer, size) for layer in (high, low))
            share = _test_share(evidence.results, dataset, size)
            contrasts.append(Contrast(f"{NAMES[dataset]} {head} {high} - {low}", paired(deeper, below), True, share))
    if not all(len(one.values) for one in contrasts):
        return not_run("needs heads on layers 1-5 and 7 of both Caltech sets")
    return conclude(family(contrasts, evidence.settings.level), "Holm over all steps")


def heads_are_alike(evidence: Evidence) -> Finding:
    """C25: softmax minus SVM on layer 7 stays within 1.5 points."""
    contrasts = []
    for dataset in NAMES:
        size = layer_size(evidence.results, dataset)
        softmax, svm = (head_folds(evidence.results, dataset, head, 7, size) for head in ("softmax", "svm"))
        share = _test_share(evidence.results, dataset, size)
        contrasts.append(Contrast(NAMES[dataset], paired(softmax, svm), True, share))
    if not all(len(one.values) for one in contrasts):
        return not_run("needs both heads on layer 7 of both Caltech sets")
    parts = [equivalence(one, MARGIN_HEADS, evidence.settings.level) for one in contrasts]
    return conclude(parts, f"equivalence within ±{MARGIN_HEADS:g} points")


DECIDED: dict[str, Callable[[Evidence], Finding]] = {
    "C17": pretrained_beats_hand_made_101,
    "C18": pretrained_beats_hand_made_256,
    "C19": scratch_fails,
    "C20": duplicates_are_few,
    "C21": six_images_are_enough,
    "C24": features_improve_with_depth,
    "C25": heads_are_alike,
}


# ---- folds -----------------------------------------------------------------------------------------------------------
def _against_printed(evidence: Evidence, dataset: str, baseline: dict[int, float]) -> Finding:
    """Against printed numbers of others, which is a comparison on the full archives alone."""
    folds = {size: head_folds(evidence.results, dataset, "softmax", 7, size) for size in baseline}
    shown = "; ".join(f"{size} per class {values.mean():.1f}" for size, values in folds.items() if len(values))
    if not _is_full(evidence.results, dataset) or not all(len(values) for values in folds.values()):
        return not_run("printed numbers count on the full archives only, and no hand-made baseline is trained", shown)
    contrasts = [
        Contrast(
            f"{size} - {baseline[size]:g}", values - baseline[size], True, _test_share(evidence.results, dataset, size)
        )
        for size, values in folds.items()
    ]
    return conclude(family(contrasts, evidence.settings.level), "against printed numbers, Holm")


def _is_full(results: Results, dataset: str) -> bool:
    """Whether the nets know 1000 classes and the heads all of the data set's."""
    heads = results.frame(f"transfer/heads/{dataset}.csv")
    metrics = [found for run in results.runs.values() if (found := results.of_run(run, "metrics"))]
    known = max((found.get("classes", 0) for found in metrics), default=0)
    return known == 1000 and heads is not None and int(heads["classes"].max()) in CLASSES[dataset]


def _gaps(results: Results, dataset: str) -> pd.DataFrame:
    """Pre-trained minus scratch: rows folds, columns the sizes that both have."""
    scratch = results.frame(f"transfer/scratch/{dataset}.csv")
    sizes = [] if scratch is None else sorted(scratch["size"].unique())
    gaps = {
        int(size): head_folds(results, dataset, "softmax", 7, size) - scratch_folds(results, dataset, size)
        for size in sizes
    }
    return pd.DataFrame({size: gap for size, gap in gaps.items() if gap.notna().any()})


def _test_share(results: Results, dataset: str, size: int) -> float:
    """Test images divided by training images at one size."""
    heads = results.frame(f"transfer/heads/{dataset}.csv")
    if heads is None:
        return 0.0
    chosen = heads[heads["size"] == size]
    return float((chosen["test_images"] / chosen["train_images"]).mean()) if len(chosen) else 0.0
