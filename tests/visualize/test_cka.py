"""Similarity of layers: CKA against its definition as a sum over pictures, and what it must not depend on."""

from itertools import permutations

import pytest
import torch

from zfnet.visualize.cka import cka, to_the_last
from zfnet.visualize.net_inputs import Gallery


def features(columns, seed, count=7):
    return torch.randn(count, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dependence(first, second):
    """Song et al.'s U-statistic of the dependence of two kernels: a mean over all four different pictures."""
    k, l = first @ first.T, second @ second.T  # noqa: E741
    fours = list(permutations(range(len(k)), 4))
    return sum(k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in fours) / len(fours)


def test_it_is_the_ratio_of_three_u_statistics():
    first = features(3, 0)
    second = first @ features(3, 1, 3) + 0.3 * features(3, 2)
    norms = dependence(first, first) * dependence(second, second)
    assert cka(first, second) == pytest.approx(float(dependence(first, second) / norms.sqrt()))


def test_rotation_scale_and_offset_change_nothing():
    first, turn = features(5, 0), torch.linalg.qr(features(5, 1, 5))[0]
    assert cka(first, 3 * first @ turn + 7) == pytest.approx(1)


def test_many_features_with_nothing_in_common_are_not_alike():
    assert abs(cka(features(4000, 0, 50), features(4000, 1, 50))) < 0.1


def test_a_layer_that_tells_no_pictures_apart_is_like_nothing():
    assert cka(features(5, 0), torch.zeros(7, 5)) == 0


@torch.no_grad()
def test_layers_are_compared_with_their_last_state(make_net, shards):
    nets = {1: make_net(seed=1), 4: make_net(seed=2)}
    found = to_the_last(Gallery(nets[1], shards, 1, 10).views(), nets, ["conv1", "conv5"])
    (view,) = Gallery(nets[1], shards, 1).views()
    ours = [net.trace(view.inputs, "conv5").activations["conv5"].flatten(1) for net in nets.values()]  # 2 x 2 places
    assert found["conv5"] == pytest.approx([cka(*ours), 1], abs=1e-5)
    assert found["conv1"][1] == pytest.approx(1)
