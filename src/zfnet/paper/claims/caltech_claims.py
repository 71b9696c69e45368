"""Claims about Caltech: Tables 4, 5 and 7, Figure 9, near-duplicates. The unit is a train/test fold, paired by number.

Training sets of folds overlap, so intervals carry Nadeau and Bengio's correction. Accuracies in percentage points.
Folds speak about pictures; all of them look through one pre-trained net.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from zfnet.paper import published
from zfnet.paper.claims.verdicts import Contrast, Evidence, Finding, conclude, contrast, equivalence, not_run, paired
from zfnet.paper.results import Results
from zfnet.paper.statistics import holm
from zfnet.paper.tables.paired import head_folds, scratch_folds, test_train_ratio
from zfnet.paper.tables.table7 import NAMES
from zfnet.paper.tables.table7 import size as layer_size

CLASSES = {"caltech101": (101, 102), "caltech256": (256, 257)}
LAYERS = (1, 2, 3, 4, 5, 7)
# Copies that a search must find before it can say that there are few; a kind that was not tried counts as not found.
PLAIN_COPIES = ("resized", "brighter", "darker", "resized, centre square")
LEAST_RECALL = 0.95


def pretrained_beats_hand_made_101(evidence: Evidence) -> Finding:
    """C17: pre-trained features against the best printed hand-made ones on Caltech-101."""
    return _against_printed(evidence, "caltech101", {15: 73.2, 30: published.text()["best_caltech101"]})


def pretrained_beats_hand_made_256(evidence: Evidence) -> Finding:
    """C18: the same on Caltech-256 at every size."""
    theirs = published.table(5).loc["bo"]
    return _against_printed(evidence, "caltech256", {size: theirs[f"size{size}"] for size in (15, 30, 45, 60)})


def scratch_fails(evidence: Evidence) -> Finding:
    """C19: pre-trained minus from scratch is above zero at every size, and shrinks with the size."""
    contrasts, slopes, missing = [], [], []
    for dataset, name in NAMES.items():
        gaps = _gaps(evidence.results, dataset)
        shares = [test_train_ratio(evidence.results, dataset, size) for size in gaps]
        contrasts += [
            Contrast(f"{name}, {size}", gaps[size].dropna(), True, share)
            for size, share in zip(gaps, shares, strict=True)
        ]
        if gaps.shape[1] > 1:
            slope = np.polyfit(gaps.columns.to_numpy(float), gaps.dropna().to_numpy().T, 1)[0]
            slopes.append(Contrast(f"{name}, slope x 10 images", slope * 10, False, max(shares)))
        else:
            missing.append(f"{name} has {gaps.shape[1]} size{'' if gaps.shape[1] == 1 else 's'} and so no slope")
    if not contrasts:
        return not_run("needs nets trained on the small sets alone, on the same folds")
    return _decide(evidence, contrasts + slopes, partial="; ".join(missing))


def duplicates_are_few(evidence: Evidence) -> Finding:
    """C20: the share of a set that is in ImageNet lies below what could move its accuracy by a point (exact binomial).

    Had the nets learnt every duplicate by heart and nothing else of use, accuracy would fall by their share without
    them: by the mean of the classes' shares, since accuracy is a mean over classes. That mean must be as small as well.
    Searching a part of ImageNet alone can show that they are many, not that they are few.
    """
    found, settings = evidence.results.json("transfer/duplicates.json"), evidence.settings
    if found is None:
        return not_run("needs transfer/duplicates.json")
    counts, limit = found["counts"], settings.max_duplicate_percent / 100
    shares = {
        name: stats.binomtest(one["found"], max(one["images"], 1)).proportion_ci(settings.confidence_level)
        for name, one in counts.items()
    }
    many = [stats.binom.sf(one["found"] - 1, one["images"], limit) for one in counts.values()]
    found_again = min((found.get("recall") or {}).get(change, 0.0) for change in PLAIN_COPIES)
    searched = evidence.full_archive and found_again >= LEAST_RECALL
    weighed = {name: one.get("mean_share_of_class", np.nan) for name, one in counts.items()}
    few = searched and all(share.high < limit and weighed[name] < limit for name, share in shares.items())
    verdict = "fails" if (holm(many) <= (1 - settings.confidence_level) / 2).any() else "holds" if few else "undecided"
    reason = f"few is less than {settings.max_duplicate_percent:g} per cent, which moves accuracy by as much at most"
    part = f"; {found_again:.0%} of plain copies are found"
    part += "" if evidence.full_archive else "; a part of ImageNet was searched, which cannot show that they are few"
    ours = [
        f"{name} {one['found']} of {one['images']}, at most {one['most_in_one_class']} in a class, "
        f"{weighed[name] * 100:.2f} % of a class on average"
        for name, one in counts.items()
    ]
    intervals = [f"{name} [{share.low * 100:.2f}, {share.high * 100:.2f}] %" for name, share in shares.items()]
    return Finding(verdict, "; ".join(ours), "; ".join(intervals), reason + part)


def six_images_are_enough(evidence: Evidence) -> Finding:
    """C21: pre-trained features with 6 images per class are above Bo et al. with 60, on the full archive alone."""
    results, best = evidence.results, published.text()["best_caltech256"]
    six, sixty = head_folds(results, "caltech256", "softmax", 7, 6), scratch_folds(results, "caltech256", 60)
    if not len(six):
        return not_run("needs 6 images per class on Caltech-256")
    if not _is_full(evidence, "caltech256"):
        shown = {"6 per class": six, "from scratch with 60": sixty}
        text = "; ".join(f"{name} {values.mean():.1f}" for name, values in shown.items() if len(values))
        return not_run(
            f"the printed {best:g} counts on the full archive only, and no hand-made baseline is trained", text
        )
    one = Contrast(f"6 per class - {best:g}", six - best, True, test_train_ratio(results, "caltech256", 6))
    return _decide(evidence, [one], "against the printed Bo et al. at 60 per class")


def features_improve_with_depth(evidence: Evidence) -> Finding:
    """C24: every layer is better than the one before (SVM 1-5, 7 and softmax 5, 7)."""
    steps = [("svm", low, high) for low, high in pairwise(LAYERS)] + [("softmax", 5, 7)]
    contrasts = []
    for dataset in NAMES:
        size = layer_size(evidence.results, dataset)
        for head, low, high in steps:
            deeper, below = (head_folds(evidence.results, dataset, head, layer, size) for layer in (high, low))
            share = test_train_ratio(evidence.results, dataset, size)
            contrasts.append(Contrast(f"{NAMES[dataset]} {head} {high} - {low}", paired(deeper, below), True, share))
    if not all(len(one.values) for one in contrasts):
        return not_run("needs heads on layers 1-5 and 7 of both Caltech sets")
    return _decide(evidence, contrasts)


def heads_are_alike(evidence: Evidence) -> Finding:
    """C25: softmax minus SVM on layer 7 stays within the margin."""
    contrasts = []
    for dataset in NAMES:
        size = layer_size(evidence.results, dataset)
        softmax, svm = (head_folds(evidence.results, dataset, head, 7, size) for head in ("softmax", "svm"))
        share = test_train_ratio(evidence.results, dataset, size)
        contrasts.append(Contrast(NAMES[dataset], paired(softmax, svm), True, share))
    if not all(len(one.values) for one in contrasts):
        return not_run("needs both heads on layer 7 of both Caltech sets")
    margin, level = evidence.settings.margin_heads, evidence.settings.confidence_level
    return conclude(
        [equivalence(one, margin, level) for one in contrasts], level, f"equivalence within ±{margin:g} points"
    )


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
def _decide(evidence: Evidence, contrasts: Sequence[Contrast], reason: str = "", partial: str = "") -> Finding:
    level = evidence.settings.confidence_level
    return conclude([contrast(one, level) for one in contrasts], level, reason, partial)


def _against_printed(evidence: Evidence, dataset: str, baseline: dict[int, float]) -> Finding:
    """Against printed numbers of others, which is a comparison on the full archives alone."""
    folds = {size: head_folds(evidence.results, dataset, "softmax", 7, size) for size in baseline}
    shown = "; ".join(f"{size} per class {values.mean():.1f}" for size, values in folds.items() if len(values))
    if not _is_full(evidence, dataset) or not all(len(values) for values in folds.values()):
        return not_run("printed numbers count on the full archives only, and no hand-made baseline is trained", shown)
    contrasts = [
        Contrast(
            f"{size} - {baseline[size]:g}",
            values - baseline[size],
            True,
            test_train_ratio(evidence.results, dataset, size),
        )
        for size, values in folds.items()
    ]
    return _decide(evidence, contrasts, "against printed numbers")


def _is_full(evidence: Evidence, dataset: str) -> bool:
    """Whether the nets know all of ImageNet and the heads all classes of the data set."""
    heads = evidence.results.frame(f"transfer/heads/{dataset}.csv")
    return evidence.full_archive and heads is not None and int(heads["classes"].max()) in CLASSES[dataset]


def _gaps(results: Results, dataset: str) -> pd.DataFrame:
    """Pre-trained minus scratch: rows folds, columns the sizes that both have."""
    scratch = results.frame(f"transfer/scratch/{dataset}.csv")
    sizes = [] if scratch is None else sorted(scratch["size"].unique())
    gaps = {
        int(size): head_folds(results, dataset, "softmax", 7, size) - scratch_folds(results, dataset, size)
        for size in sizes
    }
    return pd.DataFrame({size: gap for size, gap in gaps.items() if gap.notna().any()})
