"""CKA against its definition as a U-statistic over images, and its invariances."""

from itertools import permutations

import pytest
import torch

from zfnet.visualize.cka import cka, cka_to_last
from zfnet.visualize.net_inputs import InputLoader


def features(columns, seed, count=7):
    return torch.randn(count, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dependence(first, second):
    """Song et al.'s U-statistic of the dependence of two kernels: a mean over all four different images."""
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


def test_many_unrelated_features_have_similarity_zero():
    assert abs(cka(features(4000, 0, 50), features(4000, 1, 50))) < 0.1


def test_a_constant_layer_has_similarity_zero():
    assert cka(features(5, 0), torch.zeros(7, 5)) == 0


@torch.no_grad()
def test_layers_are_compared_with_the_last_epoch(make_net, shards):
    nets = {1: make_net(seed=1), 4: make_net(seed=2)}
    found = cka_to_last(InputLoader(nets[1], shards, 1, 10).batches(), nets, ["conv1", "conv5"])
    (batch,) = InputLoader(nets[1], shards, 1).batches()
    ours = [net.trace(batch.inputs, "conv5").activations["conv5"].flatten(1) for net in nets.values()]  # 2 x 2 places
    assert found["conv5"] == pytest.approx([cka(*ours), 1], abs=1e-5)
    assert found["conv1"][1] == pytest.approx(1)
