"""Transforms of images against numpy, and the distances of Figure 5 against their definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zfnet.core.errors import ZfnetError
from zfnet.settings import Visualize
from zfnet.visualize.examples import choose_examples, probabilities
from zfnet.visualize.invariance import amounts, compare, stage_features
from zfnet.visualize.net_inputs import InputLoader, centre, to_inputs
from zfnet.visualize.transforms import horizontal, rotation, scale, vertical, warp


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 33), st.integers(0, 1000))
def test_the_identity_changes_not_one_grey_level(size, seed):
    square = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8))
    found = warp(square, [vertical(0), horizontal(0), scale(1), rotation(0)], torch.full((3, size, size), 99.5))
    assert torch.equal(found, square.float().expand(4, -1, -1, -1))


@pytest.mark.parametrize("shift", [-5, 3])
def test_a_whole_shift_moves_pixels_and_fills_with_the_mean(shift):
    square, mean = torch.randint(256, (16, 16, 3)).float(), torch.rand(3, 16, 16) * 255
    down, right = warp(square, [vertical(shift), horizontal(shift)], mean)
    rows = torch.arange(16) - shift
    inside = ((rows >= 0) & (rows < 16))[:, None, None]
    fill = mean.permute(1, 2, 0)
    torch.testing.assert_close(down, torch.where(inside, square[rows % 16], fill))
    torch.testing.assert_close(right, torch.where(inside.transpose(0, 1), square[:, rows % 16], fill))


def test_quarter_turns_are_numpys():
    square = torch.randint(256, (15, 15, 3)).float()
    turned = warp(square, [rotation(90), rotation(180)], torch.zeros(3, 15, 15))
    for quarters, found in enumerate(turned, 1):
        torch.testing.assert_close(found, torch.rot90(square, quarters), atol=1e-3, rtol=0)


def test_enlarging_by_two_shows_the_middle_half():
    ramp = torch.arange(16.0)[:, None, None].expand(16, 16, 3)
    (found,) = warp(ramp, [scale(2)], torch.zeros(3, 16, 16))
    torch.testing.assert_close(found[:, 8, 0], 7.5 + (torch.arange(16.0) - 7.5) / 2)


def test_steps_are_those_of_the_talk_scaled_with_the_crop():
    steps = amounts(Visualize(), 224)
    assert steps["vertical"] == steps["horizontal"] == list(range(-60, 61, 6))
    np.testing.assert_allclose(steps["scale"], np.arange(1, 1.85, 0.1))
    assert steps["rotation"] == list(range(0, 360, 10))
    assert amounts(Visualize(), 112)["vertical"] == list(range(-30, 31, 3))


def test_distances_are_norms_of_differences_of_whole_layers(make_net, shards):
    net = make_net()
    square = shards.squares([2], 1)[0]
    moved = centre(warp(square, [vertical(0), vertical(4)], net.mean), net.crop)
    found = compare(net, square, moved, 1)
    traces = [net.trace(to_inputs(net, one[None])).activations for one in (centre(square, net.crop), moved[1])]
    for column, layer in ((0, "norm1"), (2, "fc7")):
        reference, other = (trace[layer].flatten() for trace in traces)
        torch.testing.assert_close(found[1, column], (other - reference).norm(), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found[1, column + 1], (other - reference).norm() / reference.norm())
    torch.testing.assert_close(found[1, 4], traces[1]["fc8"].softmax(1)[0, 1])
    torch.testing.assert_close(found[0, :4], torch.zeros(4), atol=1e-3, rtol=0)  # the identity


def test_a_net_without_layer_7_is_refused(foreign):
    _, net = foreign()
    with pytest.raises(ZfnetError, match=r"There is no layer .fc7.; there are conv1, pool1"):
        stage_features(net, torch.zeros(1, 41, 41, 3, dtype=torch.float64), 0)


def test_features_are_given_for_each_picture(make_net, shards):
    found = stage_features(make_net(), InputLoader(make_net(), shards, 1).squares([0, 1])[:, :64, :64], 0, ("conv5",))
    assert found.features["conv5"].shape[0] == len(found.probability) == 2


def test_examples_are_the_surest_of_different_classes(make_net, shards):
    net = make_net()
    loader = InputLoader(net, shards, 1)
    chosen = choose_examples(loader, 3, seed=0)
    (batch,) = InputLoader(net, shards, 1, 24).batches()
    chance = probabilities(net, batch.inputs)
    right, sure = chance.argmax(1) == batch.labels, chance[torch.arange(24), batch.labels]
    best = {}
    for one in sorted(range(24), key=lambda one: (not right[one], abs(1 - sure[one].item()), one)):
        best.setdefault(batch.labels[one].item(), one)
    assert chosen == list(best.values())[:3]
    nearest = min(torch.where(right)[0].tolist(), key=lambda one: abs(0.6 - sure[one].item()))
    assert choose_examples(loader, 1, seed=0, target=0.6) == [nearest]
    assert len(choose_examples(loader, 99, seed=0)) == 4  # classes
