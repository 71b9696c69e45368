"""Claims about ImageNet errors: results that support, contradict or leave open a claim get that verdict."""

import numpy as np
import pytest
from claim_results import SETTINGS, decided, write_cuts, write_errors, write_full_size, write_predictions
from safetensors.numpy import save_file

from zfnet.paper.claims import error_differences
from zfnet.paper.claims.verdicts import Evidence
from zfnet.paper.results import Results


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [([30, 31, 32, 30, 31], "holds"), ([50, 51, 52, 50, 51], "fails"), ([41, 38, 42, 39, 41], "undecided")],
)
def test_c2_follows_the_paired_interval(tmp_path, ours, verdict):
    write_errors(tmp_path, "krizhevsky", [40, 40.5, 41, 39.5, 40])
    write_errors(tmp_path, "zf", ours)
    assert decided("C2", tmp_path).outcome == verdict


def test_one_training_of_each_kind_is_undecided_and_shows_the_difference(tmp_path):
    write_errors(tmp_path, "krizhevsky", [40], seeds=[1])
    write_errors(tmp_path, "zf", [30], seeds=[1])
    found = decided("C2", tmp_path)
    assert (found.outcome, found.interval) == ("undecided", "")
    assert "-10.0" in found.ours
    assert "no interval" in found.reason


def test_variants_are_paired_by_seed(tmp_path):
    """Trainings differ widely but the difference is always near -2: only pairing can see it."""
    write_errors(tmp_path, "krizhevsky", [10, 30, 50, 70, 90])
    write_errors(tmp_path, "zf", [7.9, 28.1, 47.9, 68.1, 87.9])
    assert decided("C2", tmp_path).outcome == "holds"


def test_the_published_numbers_of_table_3_support_the_claims_made_of_them(tmp_path):
    write_cuts(tmp_path, no34=22.1, no7=18.4, no67=22.4, no3467=50.1)
    assert [decided(name, tmp_path).outcome for name in ("C6", "C7", "C8", "C11")] == ["holds"] * 4


def test_a_flat_table_3_contradicts_them(tmp_path):
    write_cuts(tmp_path, no34=28, no7=28, no67=28, no3467=28)
    assert [decided(name, tmp_path).outcome for name in ("C6", "C7", "C8")] == ["fails"] * 3


def test_the_total_of_the_design_changes_does_not_prove_what_made_it(tmp_path):
    write_errors(tmp_path, "krizhevsky", [40, 40.5, 41, 39.5, 40])
    write_errors(tmp_path, "zf", [30, 31, 32, 30, 31])
    assert [decided(name, tmp_path).outcome for name in ("C2", "C16")] == ["holds", "undecided"]


@pytest.mark.parametrize(("nets", "verdict"), [(3, "holds"), (2, "undecided"), (1, "not run")])
def test_averaging_nets_that_err_alone_supports_c3(tmp_path, nets, verdict):
    rng = np.random.default_rng(0)
    for seed in range(1, nets + 1):
        write_predictions(tmp_path, f"zf-s{seed}", rng, np.arange(400) % 10)
    assert decided("C3", tmp_path).outcome == verdict


def test_averaging_one_net_with_itself_decides_nothing(tmp_path):
    for seed in (1, 2, 3):
        write_predictions(tmp_path, f"zf-s{seed}", np.random.default_rng(0), np.arange(400) % 10)
    assert decided("C3", tmp_path).outcome == "undecided"


@pytest.mark.parametrize(("skill", "verdict"), [(0.3, "holds"), (0.1, "undecided"), (0.0, "fails")])
def test_the_wide_net_is_exchanged_for_its_pair_in_c5(tmp_path, skill, verdict):
    rng = np.random.default_rng(0)
    for seed in (1, 2, 3, 4):
        write_predictions(tmp_path, f"zf-s{seed}", rng, np.arange(800) % 10, 0.1)
        write_predictions(tmp_path, "zf-wide" if seed == 1 else f"zf-wide-s{seed}", rng, np.arange(800) % 10, skill)
    assert decided("C5", tmp_path).outcome == verdict


def test_errors_of_designs_are_compared_image_by_image_where_predictions_are_there(tmp_path):
    """C2: three nets of each kind that differ on the same few images by chance say nothing about other images."""
    rng, labels = np.random.default_rng(0), np.arange(200) % 10
    hard = rng.random((2, 200)) < 0.2  # of each design, for all its nets
    for which, variant in enumerate(("zf", "krizhevsky")):
        write_errors(tmp_path, variant, [20.0 - 2 * (variant == "zf") + seed / 10 for seed in (1, 2, 3)], (1, 2, 3))
        for seed in (1, 2, 3):
            sure = np.full((200, 10), 0.01, np.float32)
            said = np.where(hard[which] | (rng.random(200) < 0.02), (labels + 5) % 10, labels)
            sure[np.arange(200), said] = 0.9
            arrays = {"probabilities": sure, "labels": labels}
            save_file(arrays, tmp_path / f"runs/{variant}-s{seed}/predictions.safetensors")
    evidence, weights = Evidence(Results(tmp_path), SETTINGS), {"zf": 1, "krizhevsky": -1}
    over_images = error_differences.of_errors(evidence, weights, "val_top1")
    misses = [Results(tmp_path).misses(Results(tmp_path).runs[f"zf-s{seed}"])[1].mean() for seed in (1, 2, 3)]
    theirs = [Results(tmp_path).misses(Results(tmp_path).runs[f"krizhevsky-s{seed}"])[1].mean() for seed in (1, 2, 3)]
    assert over_images.value == pytest.approx(100 * np.mean(misses) - 100 * np.mean(theirs))
    nets_alone, of_images = over_images.errors
    assert of_images[0] > 2 * nets_alone[0]  # sqrt(2 * 0.2 * 0.8 / 200) is 4 points
    assert of_images[0] == pytest.approx(100 * np.sqrt(0.32 / 200), rel=0.2)


@pytest.mark.parametrize(("centre", "verdict"), [(0.05, "holds"), (0.0, "undecided")])
def test_ten_crops_are_compared_image_by_image(tmp_path, centre, verdict):
    rng = np.random.default_rng(0)
    for run in ("krizhevsky-s1", "krizhevsky-s2", "krizhevsky-s3"):
        write_predictions(tmp_path, run, rng, np.arange(1000) % 10, centre=centre)
    assert decided("C51", tmp_path).outcome == verdict


@pytest.mark.parametrize(("joint", "verdict"), [(50.1, "holds"), (40.1, "fails")])
def test_twenty_five_points_are_asked_for_at_full_size_only(tmp_path, joint, verdict):
    write_cuts(tmp_path, no34=22.1, no7=18.4, no67=22.4, no3467=joint)
    assert decided("C7", tmp_path).outcome == "holds"
    write_full_size(tmp_path)
    assert decided("C7", tmp_path).outcome == verdict


@pytest.mark.parametrize(("ours", "verdict"), [(16.4, "holds"), (10.0, "undecided")])
def test_values_count_at_full_size_only(tmp_path, ours, verdict):
    noise = np.array([0.0, 0.1, -0.1, 0.05, -0.05])
    write_errors(tmp_path, "krizhevsky", 18.1 + noise)
    write_errors(tmp_path, "zf", ours + noise[::-1])
    assert decided("C2", tmp_path).outcome == "holds"
    write_full_size(tmp_path)
    assert decided("C2", tmp_path).outcome == verdict


@pytest.mark.parametrize(("top5", "verdict"), [(18.0, "holds"), (25.0, "fails")])
def test_the_replica_is_compared_with_the_published_error_at_full_size(tmp_path, top5, verdict):
    write_errors(tmp_path, "krizhevsky", top5 + np.array([0.0, 0.1, -0.1, 0.05, -0.05]))
    labels = np.tile(np.arange(10), 5000)
    for seed in (1, 2, 3, 4, 5):
        rng = np.random.default_rng(seed)
        sure = rng.random((labels.size, 10), np.float32)
        sure[np.arange(labels.size), labels] = np.where(rng.random(labels.size) < top5 / 100, -1, 2)
        arrays = {"probabilities": sure, "labels": labels}
        save_file(arrays, tmp_path / f"runs/krizhevsky-s{seed}/predictions.safetensors")
    assert decided("C1", tmp_path).outcome == "not run"
    write_full_size(tmp_path)
    assert decided("C1", tmp_path).outcome == verdict
