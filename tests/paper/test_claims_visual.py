"""Claims about what nets see: results that support, contradict or leave open a claim get that verdict."""

import numpy as np
import pandas as pd
import pytest
from claim_results import decided, write_csv, write_net, write_predictions
from safetensors.numpy import save_file


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
