"""Claims about Caltech, near-duplicates and VOC: results get the verdict that they were made for."""

import numpy as np
import pytest
from claim_results import decided, write_csv, write_full_size

from zfnet.core.files import write_json
from zfnet.paper.claims.caltech_claims import PLAIN_COPIES
from zfnet.paper.resampled_ap import weighted_ap
from zfnet.transfer.metrics import average_precision


def test_claims_are_not_moved_by_the_paper_s_own_numbers(tmp_path):
    """C17 needs a baseline of ours; a small archive is never compared with published numbers."""
    rows = [("caltech101", "softmax", "fc7", size, fold, 99.0, 1, 6, 90, 60) for size in (15, 30) for fold in range(5)]
    names = "set head layer size fold accuracy c classes train_images test_images"
    write_csv(tmp_path / "transfer/heads/caltech101.csv", rows, names)
    found = decided("C17", tmp_path)
    assert found.outcome == "not run"
    assert "99.0" in found.ours


def test_published_numbers_count_where_nets_and_heads_know_all_classes(tmp_path):
    rows = [
        ("caltech101", "softmax", "fc7", size, fold, 99.0 + fold / 9, 1, 102, 90, 60)
        for size in (15, 30)
        for fold in range(5)
    ]
    names = "set head layer size fold accuracy c classes train_images test_images"
    write_csv(tmp_path / "transfer/heads/caltech101.csv", rows, names)
    write_json(tmp_path / "runs/zf-clean/metrics.json", {"classes": 1000, "images": 128_000})  # a tenth
    assert decided("C17", tmp_path).outcome == "not run"
    write_json(tmp_path / "runs/zf-clean/metrics.json", {"classes": 1000, "images": 1_281_167})
    assert decided("C17", tmp_path).outcome == "holds"


def test_six_images_are_never_compared_with_another_baseline_than_the_claim_s(tmp_path):
    heads = [("caltech256", "softmax", "fc7", 6, fold, 90.0 + fold, 1, 6, 36, 60) for fold in range(5)]
    names = "set head layer size fold accuracy c classes train_images test_images"
    write_csv(tmp_path / "transfer/heads/caltech256.csv", heads, names)
    scratch = [(60, fold, 20.0 + fold) for fold in range(5)]
    write_csv(tmp_path / "transfer/scratch/caltech256.csv", scratch, "size fold accuracy")
    found = decided("C21", tmp_path)
    assert (found.outcome, found.interval) == ("not run", "")
    assert "92.0" in found.ours and "22.0" in found.ours


def write_heads(root, accuracy):
    names = "set head layer size fold accuracy c classes train_images test_images"
    rng = np.random.default_rng(0)
    for dataset, size in (("caltech101", 30), ("caltech256", 60)):
        rows = [
            (dataset, head, layer, size, fold, value + rng.normal() / 20, 1, 6, 6 * size, 60)
            for (head, layer), value in accuracy.items()
            for fold in range(5)
        ]
        write_csv(root / "transfer" / "heads" / f"{dataset}.csv", rows, names)


def test_rising_accuracy_supports_c24_and_a_fall_contradicts_it(tmp_path):
    svm = {"conv1": 48, "conv2": 56, "conv3": 64, "conv4": 72, "conv5": 80, "fc7": 96}
    rising = {("svm", layer): value for layer, value in svm.items()}
    rising |= {("softmax", "conv5"): 80, ("softmax", "fc7"): 96}
    write_heads(tmp_path, rising)
    assert [decided("C24", tmp_path).outcome, decided("C25", tmp_path).outcome] == ["holds", "holds"]
    write_heads(tmp_path, rising | {("svm", "fc7"): 70})
    assert [decided("C24", tmp_path).outcome, decided("C25", tmp_path).outcome] == ["fails", "fails"]


@pytest.mark.parametrize(
    ("found", "of_class", "full", "verdict"),
    [
        (44, 0.005, True, "holds"),
        (44, 0.02, True, "undecided"),  # all of them in the smallest classes
        (44, 0.005, False, "undecided"),
        (90, 0.005, True, "undecided"),
        (200, 0.02, False, "fails"),
    ],
)
def test_few_is_what_cannot_move_accuracy_by_a_point(tmp_path, found, of_class, full, verdict):
    count = {"found": found, "images": 9144, "most_in_one_class": 10, "mean_class_fraction": of_class}
    counts = {"caltech101": count}
    recall = dict.fromkeys(PLAIN_COPIES, 1.0) | {"darker": 0.99, "cropped by 8 %": 0.1}
    write_json(tmp_path / "transfer/duplicates.json", {"counts": counts, "recall": recall, "threshold": 0.95})
    if full:
        write_full_size(tmp_path)
    assert decided("C20", tmp_path).outcome == verdict


def test_few_cannot_be_said_by_a_search_that_misses_what_the_shards_make_of_copies(tmp_path):
    write_full_size(tmp_path)
    count = {"found": 44, "images": 9144, "most_in_one_class": 10, "mean_class_fraction": 0.005}
    for found, verdict in ((1.0, "holds"), (0.9, "undecided")):
        recall = dict.fromkeys(PLAIN_COPIES, 1.0) | {"resized, centre square": found}
        write_json(
            tmp_path / "transfer/duplicates.json",
            {"counts": {"caltech101": count}, "recall": recall, "threshold": 0.95},
        )
        assert decided("C20", tmp_path).outcome == verdict


def test_weighted_average_precision_is_that_of_repeated_images():
    rng = np.random.default_rng(0)
    positive, weight = rng.random(40) < 0.3, rng.integers(0, 4, 40)
    repeated = np.repeat(positive, weight)
    assert weighted_ap(positive, weight.astype(float)) == pytest.approx(weighted_ap(repeated, np.ones(len(repeated))))


def test_average_precision_is_the_one_table_6_is_measured_with():
    rng = np.random.default_rng(1)
    scores, truth = rng.random(60), np.where(rng.random(60) < 0.3, 1, -1)
    ranked = truth[np.argsort(-scores)] > 0
    assert weighted_ap(ranked, np.ones(60)) * 100 == pytest.approx(average_precision(scores, truth))
