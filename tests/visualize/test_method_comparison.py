"""The comparison of methods against single projections, and its controls."""

import csv

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from zfnet.core.errors import ZfnetError
from zfnet.settings import Visualize
from zfnet.visualize import RULES, maximize, method_comparison, project, top_patches
from zfnet.visualize.activation_maximization import SETTINGS
from zfnet.visualize.net_inputs import InputLoader

FEW = Visualize(maps_per_layer=(2, 2, 2, 2, 2), top_k=3, filter_maps=2, maximize_steps=2)


@pytest.fixture(scope="module")
def made(weights, manifest, tmp_path_factory):
    """Arrays and rows of the stage."""
    folder = tmp_path_factory.mktemp("methods")
    top_patches.features_stage(weights["zf-s1"], manifest, FEW, folder / "features.safetensors", threads=1)
    out = folder / "methods.safetensors"
    method_comparison.methods_stage(weights["zf-s1"], manifest, folder / "features.csv", FEW, out, threads=1)
    with out.with_suffix(".csv").open(newline="") as file:
        return load_file(out), list(csv.DictReader(file)), folder / "features.csv"


def test_every_unit_is_shown_by_every_method(made):
    arrays, rows, _ = made
    for layer, side in (("conv2", 27), ("conv5", 64), ("fc8", 64)):
        assert arrays[f"{layer}/patch"].shape == (side, side, 3)
        assert arrays[f"{layer}/maximised"].shape == (4, side, side, 3)
        assert arrays[f"{layer}/saliency"].min() >= 0
        own = {row["method"] for row in rows if row["layer"] == layer}
        assert own == {*RULES, "shuffled", *(f"maximised {place}" for place in range(1, 5))}
    assert {row["layer"] for row in rows} == {"conv2", "conv3", "conv4", "conv5", "fc8"}


def test_tiles_and_cosines_are_those_of_single_projections(made, make_net, shards):
    arrays, rows, table = made
    loader = InputLoader(make_net(), shards, 1)
    unit = next(one for one in method_comparison.choose_units(loader, table) if one.layer == "conv5")
    inputs = torch.cat([batch.inputs for batch in loader.batches(unit.images)])
    found = {
        rule: project(loader.net, inputs, "conv5", unit.unit, torch.tensor(unit.positions), rule)[1]
        for rule in ("deconvnet", "keep-max")
    }
    for rule, pixels in found.items():
        expected = pixels[0].permute(1, 2, 0)
        ours = torch.from_numpy(arrays[f"conv5/{rule}"]).float()
        torch.testing.assert_close(ours / ours.abs().max(), expected / expected.abs().max(), atol=2e-3, rtol=0)
    flat = [pixels.flatten(1).double() for pixels in found.values()]
    cosine = torch.nn.functional.cosine_similarity(*flat).mean().item()
    row = next(row for row in rows if (row["layer"], row["method"]) == ("conv5", "keep-max"))
    assert float(row["cosine"]) == pytest.approx(cosine, abs=1e-5)
    assert int(row["images"]) == len(unit.images)


def test_a_gain_is_the_best_activation_over_that_of_the_top_image(made, make_net, shards):
    _, rows, table = made
    loader = InputLoader(make_net(), shards, 1)
    unit = method_comparison.choose_units(loader, table)[0]
    best = maximize(loader.net, unit.layer, unit.unit, SETTINGS[1]._replace(steps=2), FEW.seed)
    (batch,) = loader.batches(unit.images[:1])
    activation, _ = project(loader.net, batch.inputs, unit.layer, unit.unit)
    row = next(row for row in rows if (row["layer"], row["method"]) == (unit.layer, "maximised 2"))
    assert float(row["gain"]) == pytest.approx(best.activation / activation.item(), rel=1e-4)


def test_shuffled_filters_keep_their_values_and_nothing_of_the_picture(made, make_net):
    _, rows, _ = made
    net = make_net()
    shuffled = method_comparison.shuffle(net, 3)
    for name in ("conv2", "fc7"):
        before, after = (one.get_submodule(name).weight.flatten(1) for one in (net, shuffled))
        assert not torch.equal(before, after)
        assert torch.equal(before.sort(1).values, after.sort(1).values)
    assert torch.equal(shuffled.conv2.bias, net.conv2.bias)
    found = {(row["layer"], row["method"]): abs(float(row["cosine"])) for row in rows if row["cosine"]}
    assert all(found[layer, "shuffled"] < 0.3 < found[layer, "keep-max"] for layer in ("conv4", "conv5", "fc8"))


def test_projections_of_nothing_are_not_compared():
    nothing, something = torch.zeros(2, 3), torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    assert method_comparison.mean_cosine(nothing, something) == (0.0, 0)
    assert method_comparison.mean_cosine(something, 2 * something) == (1.0, 1)


def test_features_of_other_images_are_refused(make_net, shards, tmp_path):
    (tmp_path / "features.csv").write_text("layer,map,rank,key,row,column,activation\n2,0,0,elsewhere/1,0,0,3\n")
    with pytest.raises(ZfnetError, match="elsewhere/1 is not an image of this data set"):
        method_comparison.choose_units(InputLoader(make_net(), shards, 1), tmp_path / "features.csv")


def test_the_number_of_steps_can_be_limited():
    assert [one.steps for one in method_comparison.ascent_settings(FEW)] == [2] * 4
    assert method_comparison.ascent_settings(Visualize()) == list(SETTINGS)
    assert np.all(
        [
            one.steps == 600 or one.steps == 500
            for one in method_comparison.ascent_settings(Visualize(maximize_steps=600))
        ]
    )
