"""Claims: results built to support, contradict or leave open a claim get that verdict."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from zfnet.core.files import write_json
from zfnet.evaluation import top_k
from zfnet.paper.claims import decide, feature_claims, image_claims, imagenet_claims
from zfnet.paper.claims import visual_measures as measures
from zfnet.paper.claims.caltech_claims import PLAIN_COPIES
from zfnet.paper.claims.verdicts import Evidence
from zfnet.paper.resampled_ap import weighted_ap
from zfnet.paper.results import Results
from zfnet.settings import Paper
from zfnet.transfer.metrics import average_precision

SETTINGS = Paper(resamples=500)


def decided(name, root):
    return decide.decide(name, Evidence(Results(root), SETTINGS))


def write_csv(path, rows, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=names.split()).to_csv(path, index=False)


def write_errors(root, variant, top5, seeds=(1, 2, 3, 4, 5)):
    """Evaluations of a variant, one per seed; all measures are the same number."""
    for seed, error in zip(seeds, top5, strict=True):
        both = {"top1": error, "top5": error}
        folder = root / "runs" / f"{variant}-s{seed}"
        write_json(folder / "spec.json", {"seed": seed})
        evaluation = {"val": {"images": 9, "ten": both, "centre": both}, "train": {"images": 9, "centre": both}}
        write_json(folder / "evaluation.json", evaluation)


def test_all_claims_are_listed_once_and_every_open_one_says_what_is_missing():
    listed = decide.statements()
    assert list(listed) == [f"C{number}" for number in range(1, 56)]
    assert {name for name, claim in listed.items() if "missing" not in claim} == set(decide.DECIDED)


def test_the_documented_claims_are_the_claims():
    """docs/claims.md ends with `zfnet.paper.claims.decide.explain()`."""
    text = (Path(__file__).parents[2] / "docs/claims.md").read_text(encoding="utf-8")
    assert text.endswith(decide.explain())
    assert all(f"| C{number} |" in text for number in range(1, 56))


def test_nothing_run_decides_nothing(empty):
    frame = decide.claims_frame(decide.verdicts(Results(empty), SETTINGS))
    assert set(frame["verdict"]) == {"not run"}
    assert (frame["reason"] != "").all()


def test_every_claim_of_a_full_tree_has_a_verdict_and_no_interval_without_numbers(results, tmp_path):
    frame = decide.claims_stage(results, SETTINGS, tmp_path / "claims.csv")
    assert set(frame["verdict"]) <= {"holds", "fails", "undecided", "not run"}
    assert (frame.loc[frame["verdict"].isin(["holds", "fails"]), "interval"] != "").all()
    again = pd.read_csv(tmp_path / "claims.csv").fillna("")
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


def test_the_differences_of_every_verdict_are_written_with_their_intervals(results, tmp_path):
    frame = decide.claims_stage(results, SETTINGS, tmp_path / "claims.csv").set_index("claim")
    effects = pd.read_csv(tmp_path / "claims-effects.csv").set_index("claim")
    inside = (effects["claimed_above"].fillna(-np.inf) < effects["low"]) & (
        effects["high"] < effects["claimed_below"].fillna(np.inf)
    )
    verdicts = frame["verdict"]
    counted = {"C20"}  # shares with exact intervals, not differences
    assert set(verdicts.index[verdicts != "not run"]) - counted == set(effects.index)
    assert inside[effects.index.isin(set(verdicts.index[verdicts == "holds"]))].all()
    assert not inside.groupby(level=0).all()[sorted(set(verdicts.index[verdicts == "fails"]) - counted)].any()
    known = effects["low"].notna()
    assert (effects.loc[known, "low"] < effects.loc[known, "value"]).all()
    assert effects.loc[~known, ["high", "level", "p_against"]].isna().all(axis=None)


def test_every_claim_about_what_nets_see_takes_three_nets(results, tmp_path):
    shutil.copytree(results, tmp_path / "all")
    seen = tmp_path / "all/visualize"
    for seed in (2, 3):
        shutil.copytree(seen / "zf-s1", seen / f"zf-s{seed}")
    for name in feature_claims.DECIDED | image_claims.DECIDED:
        found = decided(name, tmp_path / "all")
        assert found.outcome != "not run", name
        assert "3" in found.reason.split(";")[0] and "where a claim needs three" not in found.reason, name
    write_json(tmp_path / "all/settings/looked-at.json", ["zf-s1"])  # the others are left from other settings
    assert "1 net, where a claim needs three" in decided("C26", tmp_path / "all").reason


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


def write_cuts(root, no34, no7, no67, no3467):
    noise = np.array([0.0, 0.1, -0.1, 0.05, -0.05])
    write_errors(root, "krizhevsky", 18.1 + noise)
    for shift, (variant, error) in enumerate({"no34": no34, "no7": no7, "no67": no67, "no3467": no3467}.items()):
        write_errors(root, f"krizhevsky-{variant}", error + np.roll(noise, shift))


def test_the_published_numbers_of_table_3_support_the_claims_made_of_them(tmp_path):
    write_cuts(tmp_path, no34=22.1, no7=18.4, no67=22.4, no3467=50.1)
    assert [decided(name, tmp_path).outcome for name in ("C6", "C7", "C8", "C11")] == ["holds"] * 4


def test_a_flat_table_3_contradicts_them(tmp_path):
    write_cuts(tmp_path, no34=28, no7=28, no67=28, no3467=28)
    assert [decided(name, tmp_path).outcome for name in ("C6", "C7", "C8")] == ["fails"] * 3


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


def test_the_total_of_the_design_changes_does_not_prove_what_made_it(tmp_path):
    write_errors(tmp_path, "krizhevsky", [40, 40.5, 41, 39.5, 40])
    write_errors(tmp_path, "zf", [30, 31, 32, 30, 31])
    assert [decided(name, tmp_path).outcome for name in ("C2", "C16")] == ["holds", "undecided"]


def write_net(root, seed, net=None, classes=0, images=0):
    """A trained net of Fig. 3 that can be looked at."""
    write_json(root / f"runs/zf-s{seed}/spec.json", {"seed": seed, "net": net or {}})
    write_json(root / f"runs/zf-s{seed}/metrics.json", {"classes": classes, "images": images})


def write_pairs(root, animals, seed=1, gap=0.05):
    rng = np.random.default_rng(seed)
    write_net(root, seed)
    rows = [
        (location, layer, a, b, 0.07 + gap * (location == "random") * (layer == "conv5") + rng.normal() / 1000)
        for location in ("right eye", "left eye", "nose", "random") for layer in ("conv5", "fc7")
        for a in range(animals) for b in range(a + 1, animals)
    ]  # fmt: skip
    write_csv(root / f"visualize/zf-s{seed}/correspondence-pairs.csv", rows, "location layer first second distance")


def test_correspondence_needs_twenty_animals(tmp_path):
    write_pairs(tmp_path, 20)
    enough = decided("C30", tmp_path)
    assert "fewer than 20 animals" not in enough.reason and "too wide to decide" not in enough.reason
    write_pairs(tmp_path, 19)
    found = decided("C30", tmp_path)
    assert found.outcome == "undecided" and "fewer than 20 animals" in found.reason


def test_one_net_alone_supports_no_claim_about_what_nets_see(tmp_path):
    write_pairs(tmp_path, 20)
    found = decided("C30", tmp_path)
    assert found.outcome == "undecided" and "1 net, where a claim needs three" in found.reason


@pytest.mark.parametrize(("gaps", "verdict"), [
    ((0.05, 0.06, 0.04), "holds"), ((-0.05, -0.052, -0.048), "fails"), ((0.05, -0.06, 0.04), "undecided"),
])  # fmt: skip
def test_three_nets_decide_what_nets_see(tmp_path, gaps, verdict):
    for seed, gap in enumerate(gaps, 1):
        write_pairs(tmp_path, 20, seed, gap)
    found = decided("C30", tmp_path)
    assert found.outcome == verdict
    assert found.reason.startswith("n = 3")


@pytest.mark.parametrize(("loss", "verdict"), [(0.5, "holds"), (0.0, "undecided")])
def test_images_of_several_nets_decide_how_stable_the_output_is(tmp_path, loss, verdict):
    """C27; under shifts and scales the true class loses nothing."""
    rng = np.random.default_rng(0)
    for seed in (1, 2, 3):
        write_net(tmp_path, seed)
        rows = [
            (image, f"p{image}", transform, amount, 0.9 - loss * (transform == "rotation") * (amount > 1) + noise)
            for image in range(5) for noise in [rng.normal() / 9]
            for transform in ("vertical", "horizontal", "scale", "rotation")
            for amount in (0, 1, 1.5, 5) for noise in [rng.normal() / 9]
        ]  # fmt: skip
        frame = pd.DataFrame(rows, columns=["image", "key", "transform", "amount", "probability"])
        frame[["class", "conv1_relative", "fc7_relative"]] = 0
        (tmp_path / f"visualize/zf-s{seed}").mkdir(parents=True)
        frame.to_csv(tmp_path / f"visualize/zf-s{seed}/invariance.csv", index=False)
    assert decided("C27", tmp_path).outcome == verdict


def write_covered(root, control, apart, loss=0.9):
    """Thirty images on three nets: rank correlations of 0.6, and of `control`; minima apart in a share `apart`."""
    lost = np.full(30, loss)
    for seed in (1, 2, 3):
        write_net(root, seed)
        rng = np.random.default_rng(seed)
        own, other = 0.6 + rng.normal(size=30) / 9, control + rng.normal(size=30) / 9
        places = np.where(np.arange(30) < 30 * apart, 2.0, 0.5) if seed < 3 else np.where(rng.random(30) < apart, 2, 0)
        rows = [(f"p{i}", *row) for i, row in enumerate(zip(own, other, own, places, lost, own + 0.2, strict=True))]
        write_csv(root / f"visualize/zf-s{seed}/occlusion.csv", rows, "key own control alike apart lost left")


@pytest.mark.parametrize(
    ("control", "apart", "verdicts"),
    [(0.1, 0.5, ("holds", "holds")), (0.6, 0.05, ("undecided", "undecided")), (0.9, 0.5, ("fails", "holds"))],
)
def test_covered_images_decide_whether_projections_are_genuine(tmp_path, control, apart, verdicts):
    write_covered(tmp_path, control, apart)
    assert tuple(decided(name, tmp_path).outcome for name in ("C32", "C33")) == verdicts


def test_where_covering_costs_the_classifier_little_no_place_is_its_own(tmp_path):
    """C33: the smallest of nearly equal probabilities lies anywhere."""
    write_covered(tmp_path, control=0.1, apart=0.5, loss=0.01)
    assert decided("C33", tmp_path).outcome != "holds"


def write_labels(root, labels):
    """Strongest images of maps: {(layer, map): labels of those it responds to}, out of nine."""
    rows = [
        (layer, one, known[rank] if rank < len(known) else 0, 9.0 - rank if rank < len(known) else 0.0)
        for (layer, one), known in labels.items() for rank in range(9)
    ]  # fmt: skip
    write_csv(root / "visualize/zf-s1/features.csv", rows, "layer map label activation")


def test_maps_that_respond_to_few_images_say_nothing_about_classes(tmp_path):
    full = {(f"conv{layer}", one): list(range(9)) for layer in range(1, 6) for one in range(6)}
    write_predictions(tmp_path, "zf-s1", np.random.default_rng(0), labels=np.arange(400) % 10)
    write_labels(tmp_path, full | {("conv5", one): [1] for one in range(5)})  # one image alone is always of one class
    assert decided("C35", tmp_path).outcome == "undecided"
    write_labels(tmp_path, {key: [1, 2] for key in full})
    assert decided("C35", tmp_path).outcome == "not run"


@pytest.mark.parametrize("alive", [0, 1, 2])
def test_layers_with_few_living_maps_do_not_stop_the_claims(tmp_path, alive):
    rng = np.random.default_rng(0)
    arrays = {f"conv{layer}/patches": rng.integers(0, 255, (3, 9, 5, 5, 3), np.uint8) for layer in range(1, 6)}
    for layer in range(1, 6):
        arrays[f"conv{layer}/projections"] = rng.normal(size=(3, 9, 5, 5, 3)).astype(np.float16)
        arrays[f"conv{layer}/projections"][alive if layer > 1 else 3 :] = 0
    write_net(tmp_path, 1)
    (tmp_path / "visualize/zf-s1").mkdir(parents=True)
    save_file(arrays, tmp_path / "visualize/zf-s1/features.safetensors")
    assert (decided("C36", tmp_path).outcome == "not run") == (alive < 2)


def write_figure2(root, rng, trained, untrained):
    """Maps of three nets, whose patches are less alike than projections by `trained` and `untrained`."""

    def tiles(alike):
        common = rng.normal(size=(4, 1, 6, 6, 3))
        return common + np.sqrt(1 / alike - 1) * rng.normal(size=(4, 9, 6, 6, 3))

    for seed in (1, 2, 3):
        write_net(root, seed)
        seen, bare = {}, {}
        for layer in range(1, 6):
            for found, gap in ((seen, trained), (bare, untrained)):
                found[f"conv{layer}/patches"] = (tiles(0.5 - gap / 2) * 20 + 128).clip(0, 255).astype(np.uint8)
                found[f"conv{layer}/projections"] = tiles(0.5 + gap / 2).astype(np.float16)
        folder = root / f"visualize/zf-s{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        save_file(seen, folder / "features.safetensors")
        save_file({f"untrained/{name}": one for name, one in bare.items()}, folder / "controls.safetensors")


@pytest.mark.parametrize(
    ("trained", "untrained", "verdict"),
    [(0.4, 0.1, "holds"), (0.4, 0.4, "undecided"), (0.4, 0.7, "undecided"), (-0.4, 0.0, "fails")],
)
def test_what_an_untrained_net_shows_as_well_stays_open(tmp_path, trained, untrained, verdict):
    write_figure2(tmp_path, np.random.default_rng(0), trained, untrained)
    assert decided("C37", tmp_path).outcome == verdict


def test_without_the_untrained_net_nothing_of_figure_2_holds(tmp_path):
    write_figure2(tmp_path, np.random.default_rng(0), 0.4, 0.1)
    (tmp_path / "visualize/zf-s2/controls.safetensors").unlink()
    found = decided("C37", tmp_path)
    assert found.outcome == "undecided" and "untrained" in found.reason


def write_neighbours(root, layer7, pixels, untrained=0.3):
    for seed in (1, 2, 3):
        write_net(root, seed)
        rng = np.random.default_rng(seed)
        shares = {"trained": layer7, "untrained": untrained, "pixels": pixels}
        arrays = {f"neighbours/{name}": rng.binomial(6, share, 100) / 6 for name, share in shares.items()}
        (root / f"visualize/zf-s{seed}").mkdir(parents=True)
        path = root / f"visualize/zf-s{seed}/controls.safetensors"
        save_file(arrays | {"neighbours/images": np.arange(100)}, path)


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [((0.6, 0.2), "holds"), ((0.3, 0.3), "undecided"), ((0.1, 0.4), "fails"), ((0.6, 0.2, 0.6), "undecided")],
)
def test_neighbours_in_layer_7_are_compared_with_those_in_pixels(tmp_path, shares, verdict):
    write_neighbours(tmp_path, *shares)
    assert decided("C55", tmp_path).outcome == verdict


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
    svm = dict(conv1=48, conv2=56, conv3=64, conv4=72, conv5=80, fc7=96)
    rising = {("svm", layer): value for layer, value in svm.items()} | {
        ("softmax", "conv5"): 80,
        ("softmax", "fc7"): 96,
    }
    write_heads(tmp_path, rising)
    assert [decided("C24", tmp_path).outcome, decided("C25", tmp_path).outcome] == ["holds", "holds"]
    write_heads(tmp_path, rising | {("svm", "fc7"): 70})
    assert [decided("C24", tmp_path).outcome, decided("C25", tmp_path).outcome] == ["fails", "fails"]


def write_predictions(root, run, rng, labels, skill=0.3, noise=0.6, centre=0.0):
    """Predictions of a net whose errors are its own; the centre crop misses `centre` more of the images."""
    folder = root / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    scores = rng.random((labels.size, 10)) * noise
    scores[np.arange(labels.size), labels] += skill
    probabilities = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    missed = {k: (top_k.missed(probabilities, labels, k) | (rng.random(labels.size) < centre)) for k in (1, 5)}
    arrays = {f"centre_missed{k}": wrong.astype(np.uint8) for k, wrong in missed.items()}
    save_file({"probabilities": probabilities, "labels": labels, **arrays}, folder / "predictions.safetensors")


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
    over_images = imagenet_claims._of_errors(evidence, weights, "val_top1")
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


# ---- full size -------------------------------------------------------------------------------------------------------
def write_full_size(root):
    for seed in (1, 2, 3, 4, 5):
        write_net(root, seed, {"width": 1.0, "crop": 224}, 1000, 1_281_167)


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
    write_json(tmp_path / "transfer/duplicates.json", {"counts": counts, "recall": recall})
    if full:
        write_full_size(tmp_path)
    assert decided("C20", tmp_path).outcome == verdict


def test_few_cannot_be_said_by_a_search_that_misses_what_the_shards_make_of_copies(tmp_path):
    write_full_size(tmp_path)
    count = {"found": 44, "images": 9144, "most_in_one_class": 10, "mean_class_fraction": 0.005}
    for found, verdict in ((1.0, "holds"), (0.9, "undecided")):
        recall = dict.fromkeys(PLAIN_COPIES, 1.0) | {"resized, centre square": found}
        write_json(tmp_path / "transfer/duplicates.json", {"counts": {"caltech101": count}, "recall": recall})
        assert decided("C20", tmp_path).outcome == verdict


# ---- filters ---------------------------------------------------------------------------------------------------------
def write_filters(root, seeds, middle):
    """Figure 6's numbers; the share of middle frequencies is `middle` larger in our net."""
    rng, rows = np.random.default_rng(0), []
    for seed in seeds:
        for variant, more in (("zf", middle), ("krizhevsky", 0.0)):
            write_json(root / f"runs/{variant}-s{seed}/spec.json", {"seed": seed})
            share, dead = 0.3 + more + rng.normal() / 100, 12 + seed if variant == "krizhevsky" else 2
            rows.append((f"{variant}-s{seed}", 96, dead, 1, 1, 0.1, share, 0.9 - share, 0, 0, 0))
    names = "run filters dead norm_median norm_max low middle high aliasing shift dominance"
    write_csv(root / "visualize/filters.csv", rows, names)


@pytest.mark.parametrize(
    ("seeds", "middle", "verdict"),
    [((1, 2, 3), 0.2, "holds"), ((1, 2, 3), -0.2, "fails"), ((1,), 0.2, "undecided")],
)
def test_designs_are_compared_net_by_net(tmp_path, seeds, middle, verdict):
    write_filters(tmp_path, seeds, middle)
    assert decided("C12", tmp_path).outcome == verdict


def write_colours(root, variant, share):
    """Layer 1 of three nets, whose second half has colour in `share` of its energy; the first has a tenth."""
    for seed in (1, 2, 3):
        rng = np.random.default_rng(seed)
        grey, colour = rng.normal(size=(48, 1, 5, 5)), rng.normal(size=(48, 3, 5, 5))
        colour -= colour.mean(1, keepdims=True)
        part = np.repeat([0.1, share], 24)[:, None, None, None] + rng.random((48, 1, 1, 1)) / 20
        filters = np.sqrt(1 - part) * grey * np.ones((1, 3, 1, 1)) + np.sqrt(part) * colour
        write_json(root / f"runs/{variant}-s{seed}/spec.json", {"seed": seed})
        save_file({"conv1.weight": filters.astype(np.float32)}, root / f"runs/{variant}-s{seed}/weights.safetensors")


@pytest.mark.parametrize(
    ("grouped", "dense", "verdict"), [(0.8, 0.1, "holds"), (0.1, 0.1, "undecided"), (0.1, 0.8, "fails")]
)
def test_groups_that_specialise_differ_in_colour_where_halves_do_not(tmp_path, grouped, dense, verdict):
    write_colours(tmp_path, "krizhevsky", grouped)
    write_colours(tmp_path, "zf", dense)
    assert decided("C46", tmp_path).outcome == verdict


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
    curves = pd.DataFrame({"key": "p0", "transform": "scale", "amount": [1, 1.4, 1.8], "probability": [0.9, 0.6, 0.2]})
    assert measures.losses(curves).loc["p0", "scale"] == pytest.approx(0.5)
