"""Claims about Caltech: Tables 4, 5 and 7, Figure 9, near-duplicates. The unit is a train/test fold, paired by number.

Training sets of folds overlap, so intervals use Nadeau and Bengio's correction. Accuracies are in percentage points.
Folds are about images; all of them use one pre-trained net.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from zfnet.paper import published
from zfnet.paper.claims.verdicts import (
    Evidence,
    Outcome,
    Part,
    Verdict,
    conclude,
    directed,
    equal,
    equivalence_level,
    not_run,
    paired,
)
from zfnet.paper.results import Results
from zfnet.paper.statistics import Interval, holm, t_interval
from zfnet.paper.tables.paired import LAYERS, head_folds, scratch_folds, test_train_ratio
from zfnet.paper.tables.table7 import NAMES
from zfnet.paper.tables.table7 import size as layer_size

CLASSES = {"caltech101": (101, 102), "caltech256": (256, 257)}
# Copies that a search must find before it can show that there are few; a kind that was not tried counts as not found.
PLAIN_COPIES = ("resized", "brighter", "darker", "resized, centre square")
LEAST_RECALL = 0.95


def pretrained_beats_hand_made_101(evidence: Evidence) -> Verdict:
    """C17: pre-trained features against the best published hand-made ones on Caltech-101."""
    return _against_published(evidence, "caltech101", {15: 73.2, 30: published.text()["best_caltech101"]})


def pretrained_beats_hand_made_256(evidence: Evidence) -> Verdict:
    """C18: the same on Caltech-256 at every size."""
    theirs = published.table(5)
    return _against_published(
        evidence, "caltech256", {size: theirs[f"size{size}"].loc["bo"] for size in (15, 30, 45, 60)}
    )


def scratch_fails(evidence: Evidence) -> Verdict:
    """C19: pre-trained minus from scratch is above zero at every size, and shrinks with the size."""
    parts, slopes, missing = [], [], []
    for dataset, name in NAMES.items():
        gaps = _gaps(evidence.results, dataset)
        parts += [_above(evidence, f"{name}, {size}", gaps[size].dropna(), dataset, int(str(size))) for size in gaps]
        if gaps.shape[1] > 1:
            slope = np.polyfit(gaps.columns.to_numpy(float), gaps.dropna().to_numpy().T, 1)[0]
            ratio = max(test_train_ratio(evidence.results, dataset, int(str(size))) for size in gaps)
            interval = t_interval(slope * 10, evidence.level, ratio)
            slopes.append(directed(f"{name}, slope x 10 images", interval, above=False))
        else:
            missing.append(f"{name} has {gaps.shape[1]} size{'' if gaps.shape[1] == 1 else 's'} and so no slope")
    if not parts:
        return not_run("needs nets trained from scratch on the small sets, on the same folds")
    return conclude(parts + slopes, evidence.level, partial="; ".join(missing))


def duplicates_are_few(evidence: Evidence) -> Verdict:
    """C20: the fraction of a set that is in ImageNet is too small to change its accuracy by a point (exact binomial).

    If the nets had memorised every duplicate and learned nothing else, accuracy without duplicates would fall by their
    fraction: by the mean of the classes' fractions, because accuracy is a mean over classes. So that mean must be small
    as well. Searching a part of ImageNet can show that duplicates are many, not that they are few.
    """
    search = evidence.results.json("transfer/duplicates.json")
    if search is None:
        return not_run("needs transfer/duplicates.json")
    counts, percent = search["counts"], evidence.settings.max_duplicate_percent
    fractions = {
        name: stats.binomtest(count["found"], max(count["images"], 1)).proportion_ci(evidence.level)
        for name, count in counts.items()
    }
    many = [stats.binom.sf(count["found"] - 1, count["images"], percent / 100) for count in counts.values()]
    recall = min((search.get("recall") or {}).get(change, 0.0) for change in PLAIN_COPIES)
    class_means = {name: count.get("mean_class_fraction", np.nan) for name, count in counts.items()}
    few = evidence.full_archive and recall >= LEAST_RECALL
    few = few and all(max(fractions[name].high, class_means[name]) < percent / 100 for name in counts)
    outcome: Outcome = "fails" if (holm(many) <= (1 - evidence.level) / 2).any() else "holds" if few else "undecided"
    reason = f"few means less than {percent:g} per cent, which changes accuracy by at most as much"
    reason += f"; {recall:.0%} of plain copies are found"
    reason += "" if evidence.full_archive else "; a part of ImageNet was searched, which cannot show that they are few"
    ours = [
        f"{name} {count['found']} of {count['images']}, at most {count['most_in_one_class']} in a class, "
        f"{class_means[name] * 100:.2f} % of a class on average"
        for name, count in counts.items()
    ]
    intervals = [f"{name} [{ends.low * 100:.2f}, {ends.high * 100:.2f}] %" for name, ends in fractions.items()]
    return Verdict(outcome, "; ".join(ours), "; ".join(intervals), reason)


def six_images_are_enough(evidence: Evidence) -> Verdict:
    """C21: pre-trained features with 6 images per class beat Bo et al. with 60, on the full archive only."""
    results, best = evidence.results, published.text()["best_caltech256"]
    six, sixty = head_folds(results, "caltech256", "softmax", "fc7", 6), scratch_folds(results, "caltech256", 60)
    if not len(six):
        return not_run("needs 6 images per class on Caltech-256")
    if not _is_full(evidence, "caltech256"):
        shown = {"6 per class": six, "from scratch with 60": sixty}
        text = "; ".join(f"{name} {values.mean():.1f}" for name, values in shown.items() if len(values))
        return not_run(
            f"the published {best:g} counts on the full archive only, and no hand-made baseline is trained", text
        )
    part = _above(evidence, f"6 per class - {best:g}", six - best, "caltech256", 6)
    return conclude([part], evidence.level, "against the published Bo et al. at 60 per class")


def features_improve_with_depth(evidence: Evidence) -> Verdict:
    """C24: every layer is better than the one before (SVM conv1-conv5, fc7 and softmax conv5, fc7)."""
    steps = [("svm", low, high) for low, high in pairwise(LAYERS)] + [("softmax", "conv5", "fc7")]
    differences: dict[tuple[str, str, int], np.ndarray] = {}
    for dataset in NAMES:
        size = layer_size(evidence.results, dataset)
        for head, low, high in steps:
            deeper, below = (head_folds(evidence.results, dataset, head, layer, size) for layer in (high, low))
            differences[f"{NAMES[dataset]} {head} {high} - {low}", dataset, size] = paired(deeper, below)
    if not all(len(values) for values in differences.values()):
        return not_run("needs heads on conv1-conv5 and fc7 of both Caltech sets")
    parts = [_above(evidence, name, values, dataset, size) for (name, dataset, size), values in differences.items()]
    return conclude(parts, evidence.level)


def heads_are_alike(evidence: Evidence) -> Verdict:
    """C25: softmax minus SVM on fc7 stays within the margin."""
    differences = {}
    for dataset in NAMES:
        size = layer_size(evidence.results, dataset)
        softmax, svm = (head_folds(evidence.results, dataset, head, "fc7", size) for head in ("softmax", "svm"))
        differences[dataset, size] = paired(softmax, svm)
    if not all(len(values) for values in differences.values()):
        return not_run("needs both heads on fc7 of both Caltech sets")
    margin, level = evidence.settings.margin_heads, equivalence_level(evidence.level)
    parts = [
        equal(NAMES[dataset], _interval(evidence, values, dataset, size, level), margin)
        for (dataset, size), values in differences.items()
    ]
    return conclude(parts, evidence.level, f"equivalence within ±{margin:g} points")


DECIDED: dict[str, Callable[[Evidence], Verdict]] = {
    "C17": pretrained_beats_hand_made_101,
    "C18": pretrained_beats_hand_made_256,
    "C19": scratch_fails,
    "C20": duplicates_are_few,
    "C21": six_images_are_enough,
    "C24": features_improve_with_depth,
    "C25": heads_are_alike,
}


# ---- folds -----------------------------------------------------------------------------------------------------------
def _interval(
    evidence: Evidence, differences: pd.Series | np.ndarray, dataset: str, size: int, level: float
) -> Interval:
    """Return the interval of a mean over folds of one data set at one training size."""
    return t_interval(differences, level, test_train_ratio(evidence.results, dataset, size))


def _above(evidence: Evidence, name: str, differences: pd.Series | np.ndarray, dataset: str, size: int) -> Part:
    """Return a part that claims that a mean over folds is above zero."""
    return directed(name, _interval(evidence, differences, dataset, size, evidence.level), above=True)


def _against_published(evidence: Evidence, dataset: str, baseline: dict[int, float]) -> Verdict:
    """Compare with published numbers of others, which is possible on the full archives only."""
    folds = {size: head_folds(evidence.results, dataset, "softmax", "fc7", size) for size in baseline}
    shown = "; ".join(f"{size} per class {values.mean():.1f}" for size, values in folds.items() if len(values))
    if not _is_full(evidence, dataset) or not all(len(values) for values in folds.values()):
        return not_run("published numbers count on the full archives only, and no hand-made baseline is trained", shown)
    parts = [
        _above(evidence, f"{size} - {baseline[size]:g}", values - baseline[size], dataset, size)
        for size, values in folds.items()
    ]
    return conclude(parts, evidence.level, "against published numbers")


def _is_full(evidence: Evidence, dataset: str) -> bool:
    """Return whether nets were trained on all of ImageNet and heads on all classes of the data set."""
    heads = evidence.results.frame(f"transfer/heads/{dataset}.csv")
    return evidence.full_archive and heads is not None and int(heads["classes"].max()) in CLASSES[dataset]


def _gaps(results: Results, dataset: str) -> pd.DataFrame:
    """Return pre-trained minus from scratch: rows folds, columns the sizes that both have."""
    scratch = results.frame(f"transfer/scratch/{dataset}.csv")
    sizes = [] if scratch is None else sorted(scratch["size"].unique())
    gaps = {
        int(size): head_folds(results, dataset, "softmax", "fc7", size) - scratch_folds(results, dataset, size)
        for size in sizes
    }
    return pd.DataFrame({size: gap for size, gap in gaps.items() if gap.notna().any()})
