"""Claims about parts of Krizhevsky's net: planted effects hold, their opposite fails, no effect stays open."""

import json

import numpy as np
import pandas as pd
import pytest
from claim_results import decided

from zfnet.core.files import write_json
from zfnet.paper.claims.krizhevsky_claims import crossing

NOISE = np.array([0.0, 0.2, -0.2, 0.1, -0.1])
OTHER = np.array([0.1, -0.1, 0.05, 0.2, -0.2])  # of another training with the same seeds


def write_net(root, variant, val, train, losses=(3.0, 2.0, 1.0), errors=(90, 60, 30), scatter=NOISE, classes=100):
    """Five seeds of a net: top-1 on validation and training images, and what its history says."""
    for seed, noise in enumerate(scatter, 1):
        folder = root / "runs" / f"{variant}-s{seed}"
        write_json(folder / "spec.json", {"seed": seed})
        write_json(folder / "metrics.json", {"classes": classes, "images": 1})
        parts = {
            part: {"top1": error + noise, "top5": (error + noise) / 2}
            for part, error in (("val", val), ("train", train))
        }
        evaluation = {
            "val": {"images": 9, "ten": parts["val"], "centre": parts["val"]},
            "train": {"images": 9, "centre": parts["train"]},
        }
        write_json(folder / "evaluation.json", evaluation)
        rows = [
            {"epoch": epoch, "loss": loss + noise / 10, "val_top1": error + noise, "val_top5": error / 2}
            for epoch, (loss, error) in enumerate(zip(losses, errors, strict=True), 1)
        ]
        (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def verdicts(root, *names):
    return [decided(name, root).outcome for name in names]


def test_without_the_variants_nothing_is_decided(tmp_path):
    write_net(tmp_path, "krizhevsky", 40, 30)
    found = decided("C47", tmp_path)
    assert found.outcome == "not run" and "paper.krizhevsky: true" in found.reason
    assert set(verdicts(tmp_path, "C43", "C44", "C45", "C48", "C49", "C50", "C52", "C53")) == {"not run"}


@pytest.mark.parametrize(("worse", "verdict"), [(2, "holds"), (-2, "fails"), (0, "undecided")])
def test_layers_that_count_and_colour_noise_that_helps(tmp_path, worse, verdict):
    write_net(tmp_path, "krizhevsky", 40, 30)
    for variant in ("no3", "no4", "no5", "nocolour"):
        write_net(tmp_path, f"krizhevsky-{variant}", 40 + worse, 30, scatter=OTHER)
    assert verdicts(tmp_path, "C52", "C48") == [verdict, verdict]


def test_one_layer_that_does_not_count_leaves_c52_open(tmp_path):
    write_net(tmp_path, "krizhevsky", 40, 30)
    for variant, error in {"no3": 42, "no4": 42, "no5": 40}.items():
        write_net(tmp_path, f"krizhevsky-{variant}", error, 30, scatter=OTHER)
    assert decided("C52", tmp_path).outcome == "undecided"


def test_the_effect_on_imagenet_alone_does_not_prove_c43(tmp_path):
    write_net(tmp_path, "krizhevsky", 40, 30)
    write_net(tmp_path, "krizhevsky-nolrn", 42, 30, scatter=OTHER)
    found = decided("C43", tmp_path)
    assert found.outcome == "undecided" and "CIFAR-10" in found.reason


def test_the_order_of_three_effects(tmp_path):
    write_net(tmp_path, "krizhevsky", 40, 30)
    for variant, error in {"half": 45, "nolrn": 43, "nooverlap": 41.5}.items():
        write_net(tmp_path, f"krizhevsky-{variant}", error, 30, scatter=OTHER if variant == "nolrn" else -OTHER)
    assert decided("C45", tmp_path).outcome == "holds"
    write_net(tmp_path, "krizhevsky-nolrn", 46, 30, scatter=OTHER)  # more than the columns
    assert decided("C45", tmp_path).outcome == "fails"


def test_c44_needs_a_smaller_gap_as_well_and_says_how_many_seeds_decide(tmp_path):
    write_net(tmp_path, "krizhevsky", 40, 31)
    write_net(tmp_path, "krizhevsky-nooverlap", 42, 30, scatter=OTHER)
    found = decided("C44", tmp_path)
    scatter = np.std(NOISE - OTHER, ddof=1)
    assert found.outcome == "undecided"  # both gaps scatter alike: val and train move together by seed
    assert f"{max(3, int(np.ceil((2.8 * scatter / 0.4) ** 2)))} seeds would detect 0.4 points" in found.reason


def write_gap(root, variant, gap, scatter, errors=(90, 60, 30)):
    write_net(root, variant, 40 + gap, 30, scatter=NOISE, errors=errors)
    for seed, noise in enumerate(scatter, 1):
        path = root / "runs" / f"{variant}-s{seed}" / "evaluation.json"
        evaluation = json.loads(path.read_text())
        evaluation["train"]["centre"]["top1"] -= float(noise)
        write_json(path, evaluation)


@pytest.mark.parametrize(("gap", "verdict"), [(3, "holds"), (-3, "fails")])
def test_nets_without_crops_overfit(tmp_path, gap, verdict):
    write_net(tmp_path, "krizhevsky", 40, 30, scatter=-OTHER)
    write_gap(tmp_path, "krizhevsky-nocrops", gap, OTHER)
    assert decided("C47", tmp_path).outcome == verdict


def test_dropout_needs_twice_the_epochs(tmp_path):
    write_net(tmp_path, "krizhevsky", 40, 30, losses=[2] * 6, errors=(90, 80, 70, 60, 50, 40), scatter=-OTHER)
    write_gap(tmp_path, "krizhevsky-nodropout", 5, OTHER, errors=(80, 60, 40))
    found = decided("C49", tmp_path)
    assert found.outcome == "holds"
    assert found.parts[1].interval.value == pytest.approx(1, abs=0.1)
    assert "contains 2" in found.reason and "does not" not in found.reason


@pytest.mark.parametrize(("train", "verdict"), [(32, "holds"), (28, "fails")])
def test_weight_decay_lowers_the_training_error(tmp_path, train, verdict):
    write_net(tmp_path, "krizhevsky", 40, 30)
    write_net(tmp_path, "krizhevsky-nodecay", 40, train, scatter=OTHER)
    assert decided("C50", tmp_path).outcome == verdict


def test_biases_of_one_leave_chance_earlier(tmp_path):
    chance = np.log(100)
    write_net(tmp_path, "krizhevsky", 40, 30, losses=(0.8 * chance, 2, 1))
    write_net(tmp_path, "krizhevsky-nobias", 40, 30, losses=(chance, 0.95 * chance, 2), scatter=OTHER)
    assert decided("C53", tmp_path).outcome == "holds"
    write_net(tmp_path, "krizhevsky-nobias", 40, 30, losses=[chance] * 3, scatter=abs(OTHER))
    found = decided("C53", tmp_path)
    assert found.outcome == "not run" and "0 with biases of 1 and 5 with 0 stalled" in found.reason


def test_a_crossing_is_interpolated():
    curve = pd.Series({1: 4.0, 2: 2.0, 3: 1.0})
    assert crossing(curve, 3) == 1.5 and crossing(curve, 4) == 1 and crossing(curve, 1) == 3
    assert crossing(curve, 0.5) is None and crossing(pd.Series(dtype=float), 1) is None
