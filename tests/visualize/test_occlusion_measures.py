"""Measures of occlusion, each against a plain definition."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from zfnet.visualize.net_inputs import InputLoader
from zfnet.visualize.occlusion import LAYER, Square
from zfnet.visualize.occlusion_measures import another_map, below, minima_apart, rank_correlation, without_map


def test_energy_below_the_square_is_a_plain_sum():
    energy = torch.rand(64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    starts = Square(20, 8).starts(64)
    expected = [[energy[top : top + 20, left : left + 20].sum() for left in starts] for top in starts]
    torch.testing.assert_close(below(energy, 20, 8), torch.tensor(expected))


def test_ranks_are_scipys_and_flat_maps_say_nothing():
    first, second = np.random.default_rng(0).integers(0, 9, (2, 5, 5))
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel())[0])
    assert rank_correlation(first, np.zeros((5, 5))) == 0


def test_minima_are_apart_in_sides_and_the_nearest_of_equal_ones_counts():
    first, second = np.ones((2, 6, 6))
    first[0, 0] = first[3, 0] = second[3, 4] = 0
    assert minima_apart(first, second, side=10, stride=5) == 2


@torch.no_grad()
def test_a_map_set_to_zero_is_a_filter_set_to_zero(make_net, shards):
    net = make_net()
    (batch,) = InputLoader(net, shards, 1).batches([5])
    pruned = copy.deepcopy(net)
    pruned.conv5.weight[3], pruned.conv5.bias[3] = 0, 0
    torch.testing.assert_close(without_map(net, batch.inputs, LAYER, 3), pruned(batch.inputs).softmax(1))
    assert not torch.equal(net(batch.inputs), pruned(batch.inputs))


@torch.no_grad()
def test_the_other_map_responds_and_is_another(make_net, shards):
    net = make_net()
    (batch,) = InputLoader(net, shards, 1).batches([5])
    net.conv5.weight[2:], net.conv5.bias[2:] = 0, 0
    net.conv5.bias[:2] = 1e6
    assert {another_map(net, batch.inputs, LAYER, 0, (seed,)) for seed in range(3)} == {1}
    net.conv5.bias[1] = -1e6
    assert another_map(net, batch.inputs, LAYER, 0, (0,)) is None
