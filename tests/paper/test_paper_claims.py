"""Claims: results built to support, contradict or leave open a claim get that verdict."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from zfnet.files import write_json
from zfnet.paper import claims
from zfnet.paper import visual_measures as measures
from zfnet.paper.claims_voc import weighted_ap
from zfnet.paper.findings import Evidence
from zfnet.paper.results import Results
from zfnet.settings import Paper
from zfnet.transfer.measures import average_precision

SETTINGS = Paper(resamples=500)


def decide(name, root):
    return claims.decide(name, Evidence(Results(root), SETTINGS))


def write_csv(path, rows, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=names.split()).to_csv(path, index=False)


def write_errors(root, variant, top5, seeds=(1, 2, 3, 4, 5)):
    """Evaluations of a variant, one per random state; all measures are the same number."""
    for seed, error in zip(seeds, top5, strict=True):
        errors = {"top1": error, "top5": error}
        folder = root / "runs" / f"{variant}-s{seed}"
        write_json(folder / "spec.json", {"seed": seed})
        evaluation = {"val": {"images": 9, "ten": errors, "centre": errors}, "train": {"images": 9, "centre": errors}}
        write_json(folder / "evaluation.json", evaluation)


def test_all_claims_are_listed_once_and_every_open_one_says_what_is_missing():
    listed = claims.statements()
    assert list(listed) == [f"C{number}" for number in range(1, 56)]
    assert {name for name, claim in listed.items() if "missing" not in claim} == set(claims.DECIDED)


def test_nothing_run_decides_nothing(empty):
    frame = claims.table(Results(empty), SETTINGS)
    assert set(frame["verdict"]) == {"not run"}
    assert (frame["reason"] != "").all()


def test_every_claim_of_a_full_tree_has_a_verdict_and_no_interval_without_numbers(results, tmp_path):
    frame = claims.claims_stage(results, SETTINGS, tmp_path / "claims.csv")
    assert set(frame["verdict"]) <= {"holds", "fails", "undecided", "not run"}
    assert (frame.loc[frame["verdict"].isin(["holds", "fails"]), "interval"] != "").all()
    again = pd.read_csv(tmp_path / "claims.csv").fillna("")
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [([30, 31, 32, 30, 31], "holds"), ([50, 51, 52, 50, 51], "fails"), ([41, 38, 42, 39, 41], "undecided")],
)
def test_c2_follows_the_paired_interval(tmp_path, ours, verdict):
    write_errors(tmp_path, "krizhevsky", [40, 40.5, 41, 39.5, 40])
    write_errors(tmp_path, "zf", ours)
    assert decide("C2", tmp_path).verdict == verdict


def test_one_training_of_each_kind_is_undecided_and_shows_the_difference(tmp_path):
    write_errors(tmp_path, "krizhevsky", [40], seeds=[1])
    write_errors(tmp_path, "zf", [30], seeds=[1])
    found = decide("C2", tmp_path)
    assert (found.verdict, found.interval) == ("undecided", "")
    assert "-10.0" in found.ours
    assert "no interval" in found.reason


def test_variants_are_paired_by_random_state(tmp_path):
    """Trainings differ widely but the difference is always near -2: only pairing can see it."""
    write_errors(tmp_path, "krizhevsky", [10, 30, 50, 70, 90])
    write_errors(tmp_path, "zf", [7.9, 28.1, 47.9, 68.1, 87.9])
    assert decide("C2", tmp_path).verdict == "holds"


def write_cuts(root, no34, no7, no67, no3467):
    noise = np.array([0.0, 0.1, -0.1, 0.05, -0.05])
    write_errors(root, "krizhevsky", 18.1 + noise)
    for variant, error in (("no34", no34), ("no7", no7), ("no67", no67), ("no3467", no3467)):
        write_errors(root, f"krizhevsky-{variant}", error + noise[::-1])


def test_the_printed_numbers_of_table_3_support_the_claims_made_of_them(tmp_path):
    write_cuts(tmp_path, no34=22.1, no7=18.4, no67=22.4, no3467=50.1)
    assert [decide(name, tmp_path).verdict for name in ("C6", "C7", "C8", "C11")] == ["holds"] * 4


def test_a_flat_table_3_contradicts_them(tmp_path):
    write_cuts(tmp_path, no34=28, no7=28, no67=28, no3467=28)
    assert [decide(name, tmp_path).verdict for name in ("C6", "C7", "C8")] == ["fails"] * 3


def test_claims_are_not_moved_by_the_paper_s_own_numbers(tmp_path):
    """C17 needs a baseline of ours; a small archive is never compared with printed numbers."""
    rows = [("caltech101", "softmax", 7, size, fold, 99.0, 1, 6, 90, 60) for size in (15, 30) for fold in range(5)]
    names = "set head layer size fold accuracy c classes train_images test_images"
    write_csv(tmp_path / "transfer/heads/caltech101.csv", rows, names)
    found = decide("C17", tmp_path)
    assert found.verdict == "not run"
    assert "99.0" in found.ours


def test_printed_numbers_count_where_nets_and_heads_know_all_classes(tmp_path):
    rows = [
        ("caltech101", "softmax", 7, size, fold, 99.0 + fold / 9, 1, 102, 90, 60)
        for size in (15, 30)
        for fold in range(5)
    ]
    names = "set head layer size fold accuracy c classes train_images test_images"
    write_csv(tmp_path / "transfer/heads/caltech101.csv", rows, names)
    write_json(tmp_path / "runs/zf-clean/metrics.json", {"classes": 1000})
    assert decide("C17", tmp_path).verdict == "holds"


def test_six_images_are_never_compared_with_another_baseline_than_the_claim_s(tmp_path):
    heads = [("caltech256", "softmax", 7, 6, fold, 90.0 + fold, 1, 6, 36, 60) for fold in range(5)]
    names = "set head layer size fold accuracy c classes train_images test_images"
    write_csv(tmp_path / "transfer/heads/caltech256.csv", heads, names)
    scratch = [(60, fold, 20.0 + fold) for fold in range(5)]
    write_csv(tmp_path / "transfer/scratch/caltech256.csv", scratch, "size fold accuracy")
    found = decide("C21", tmp_path)
    assert (found.verdict, found.interval) == ("not run", "")
    assert "92.0" in found.ours and "22.0" in found.ours


def test_the_total_of_the_design_changes_does_not_prove_what_made_it(tmp_path):
    write_errors(tmp_path, "krizhevsky", [40, 40.5, 41, 39.5, 40])
    write_errors(tmp_path, "zf", [30, 31, 32, 30, 31])
    assert [decide(name, tmp_path).verdict for name in ("C2", "C16")] == ["holds", "undecided"]


def write_pairs(root, animals):
    rng = np.random.default_rng(0)
    rows = [
        (location, layer, a, b, 0.07 + 0.05 * (location == "random") * (layer == 5) + rng.normal() / 1000)
        for location in ("right eye", "left eye", "nose", "random") for layer in (5, 7)
        for a in range(animals) for b in range(a + 1, animals)
    ]  # fmt: skip
    write_csv(root / "visualize/zf-s1/correspondence-pairs.csv", rows, "location layer first second distance")


def test_correspondence_needs_twenty_animals(tmp_path):
    write_pairs(tmp_path, 20)
    enough = decide("C30", tmp_path)
    assert "fewer than 20 animals" not in enough.reason and "too wide to decide" not in enough.reason
    write_pairs(tmp_path, 19)
    found = decide("C30", tmp_path)
    assert found.verdict == "undecided" and "fewer than 20 animals" in found.reason


def test_one_net_alone_supports_no_claim_about_what_nets_see(tmp_path):
    write_pairs(tmp_path, 20)
    found = decide("C30", tmp_path)
    assert found.verdict == "undecided" and "one net, where a claim needs three to hold" in found.reason


def write_labels(root, labels):
    """Strongest pictures of maps: {(layer, map): labels of those it responds to}, out of nine."""
    rows = [
        (layer, one, known[rank] if rank < len(known) else 0, 9.0 - rank if rank < len(known) else 0.0)
        for (layer, one), known in labels.items() for rank in range(9)
    ]  # fmt: skip
    write_csv(root / "visualize/zf-s1/features.csv", rows, "layer map label activation")


def test_maps_that_respond_to_few_pictures_say_nothing_about_classes(tmp_path):
    full = {(layer, one): list(range(9)) for layer in range(1, 6) for one in range(6)}
    write_labels(tmp_path, full | {(5, one): [1] for one in range(5)})  # one picture alone is always of one class
    assert decide("C35", tmp_path).verdict == "undecided"
    write_labels(tmp_path, {key: [1, 2] for key in full})
    assert decide("C35", tmp_path).verdict == "not run"


@pytest.mark.parametrize("alive", [0, 1, 2])
def test_layers_with_few_living_maps_do_not_stop_the_claims(tmp_path, alive):
    rng = np.random.default_rng(0)
    arrays = {f"layer{layer}/patches": rng.integers(0, 255, (3, 9, 5, 5, 3), np.uint8) for layer in range(1, 6)}
    for layer in range(1, 6):
        arrays[f"layer{layer}/projections"] = rng.normal(size=(3, 9, 5, 5, 3)).astype(np.float16)
        arrays[f"layer{layer}/projections"][alive if layer > 1 else 3 :] = 0
    (tmp_path / "visualize/zf-s1").mkdir(parents=True)
    save_file(arrays, tmp_path / "visualize/zf-s1/features.safetensors")
    assert (decide("C36", tmp_path).verdict == "not run") == (alive < 2)


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
    rising = {("svm", layer): 40 + 8 * layer for layer in (1, 2, 3, 4, 5, 7)} | {("softmax", 5): 80, ("softmax", 7): 96}
    write_heads(tmp_path, rising)
    assert [decide("C24", tmp_path).verdict, decide("C25", tmp_path).verdict] == ["holds", "holds"]
    write_heads(tmp_path, rising | {("svm", 7): 70})
    assert [decide("C24", tmp_path).verdict, decide("C25", tmp_path).verdict] == ["fails", "fails"]


def test_averaging_nets_that_err_alone_supports_c3(tmp_path):
    rng, labels = np.random.default_rng(0), np.arange(400) % 10
    for seed in (1, 2, 3):
        folder = tmp_path / "runs" / f"zf-s{seed}"
        folder.mkdir(parents=True)
        scores = rng.random((400, 10)) * 0.6
        scores[np.arange(400), labels] += 0.3
        probabilities = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
        save_file({"probabilities": probabilities, "labels": labels}, folder / "predictions.safetensors")
    assert decide("C3", tmp_path).verdict == "holds"


def test_weighted_average_precision_is_that_of_repeated_pictures():
    rng = np.random.default_rng(0)
    positive, weight = rng.random(40) < 0.3, rng.integers(0, 4, 40)
    repeated = np.repeat(positive, weight)
    assert weighted_ap(positive, weight.astype(float)) == pytest.approx(weighted_ap(repeated, np.ones(len(repeated))))


def test_average_precision_is_the_one_table_6_is_measured_with():
    rng = np.random.default_rng(1)
    scores, truth = rng.random(60), np.where(rng.random(60) < 0.3, 1, -1)
    ranked = truth[np.argsort(-scores)] > 0
    assert weighted_ap(ranked, np.ones(60)) * 100 == pytest.approx(average_precision(scores, truth))


# ---- visual measures -------------------------------------------------------------------------------------------------
def test_entropy_of_labels():
    assert measures.entropy(pd.Series([3] * 9)) == 0
    assert measures.entropy(pd.Series([0, 1, 2, 3])) == pytest.approx(2)


def test_dissimilarity_is_blind_to_scale_and_offset():
    tile = np.random.default_rng(0).normal(size=(1, 1, 5, 5, 3))
    alike = np.concatenate([tile, 3 * tile + 7, tile - 2], axis=1)
    assert measures.dissimilarity(alike) == pytest.approx([0], abs=1e-5)
    assert measures.dissimilarity(np.concatenate([tile, -tile], axis=1)) == pytest.approx([2], abs=1e-5)


def test_slope_and_difference_are_means_of_their_terms():
    x, y = np.array([1.0, 2, 3, 5]), np.array([2.0, 4.5, 6, 9])
    assert measures.slope_terms(x, y).mean() == pytest.approx(np.polyfit(x, y, 1)[0])
    assert measures.difference_terms(x, y[:3]).mean() == pytest.approx(x.mean() - y[:3].mean())


def test_terms_scatter_as_what_is_left_unexplained():
    x = np.repeat(np.arange(1.0, 6), 10)
    assert measures.slope_terms(x, 3 * x + 1) == pytest.approx(np.full(50, 3))
    assert measures.difference_terms(np.full(40, 5.0), np.full(4, 3.0)) == pytest.approx(np.full(44, 2))


def test_terms_scatter_as_a_slope_and_a_difference_do():
    rng = np.random.default_rng(0)
    x = np.repeat(np.arange(1.0, 6), 10)
    slopes, differences, widths = [], [], []
    for _ in range(400):
        y = 2 * x + rng.normal(size=50)
        slope, difference = measures.slope_terms(x, y), measures.difference_terms(y[:40] - 2 * x[:40] + 3, y[40:] * 0)
        slopes.append(slope.mean())
        differences.append(difference.mean())
        widths.append((slope.std() / np.sqrt(50), difference.std() / np.sqrt(50)))
    assert np.mean(widths, 0) == pytest.approx([np.std(slopes), np.std(differences)], rel=0.15)


def test_a_map_is_developed_when_it_resembles_its_last_projection():
    rng = np.random.default_rng(1)
    noise, last = rng.normal(size=(2, 4, 4, 3))
    projections = np.stack([[noise, 2 * last, last], [noise, noise + 0.01, last]])
    assert measures.developed(projections, np.array([1, 5, 9])).tolist() == [5, 9]


def test_losses_are_what_the_probability_falls_on_average():
    curves = pd.DataFrame({"image": 0, "transform": "scale", "amount": [1, 1.4, 1.8], "probability": [0.9, 0.6, 0.2]})
    assert measures.losses(curves).loc[0, "scale"] == pytest.approx(0.5)
