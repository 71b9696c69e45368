"""Measures of filters with known values."""

import math

import numpy as np
import pytest
import torch

from zfnet.settings import Visualize
from zfnet.visualize.filters import bands, measure, phase_dependence, responses, shift_change
from zfnet.visualize.net_inputs import InputLoader


@pytest.mark.parametrize(("frequency", "band"), [(0.0, 0), (0.05, 0), (0.25, 1), (0.45, 2)])
def test_a_grating_has_its_energy_in_its_band(frequency, band):
    along = torch.arange(31.0)
    window = torch.hann_window(31, periodic=False)
    grating = torch.cos(2 * math.pi * frequency * along) * window[:, None] * window
    found = bands(grating.expand(2, 3, 31, 31))
    assert found[band] > 0.95
    assert sum(found) == pytest.approx(1)


def test_block_artefacts_are_deviations_between_phases():
    even, striped = np.ones((8, 8)), np.tile([[2.0, 0.0], [2.0, 0.0]], (4, 4))
    assert phase_dependence(even, 4) == 0
    assert phase_dependence(striped, 2) == 1  # phases 2, 0, 2, 0
    assert phase_dependence(np.zeros((8, 8)), 2) == 0


def test_responses_are_those_of_all_images_at_once(make_net, shards):
    net = make_net()
    largest, variance = responses(InputLoader(net, shards, 1, batch_size=7))
    (batch,) = InputLoader(net, shards, 1, batch_size=24).batches()
    everything = net.trace(batch.inputs, "conv1").activations["conv1"].transpose(0, 1).flatten(1)
    torch.testing.assert_close(largest, everything.amax(1))
    torch.testing.assert_close(variance.float(), everything.var(1, correction=0), rtol=1e-4, atol=1e-4)


def test_weak_and_silent_filters_are_dead(make_net, shards):
    net = make_net()
    before = measure(InputLoader(net, shards, 1), Visualize(top_k=2))
    with torch.no_grad():
        net.conv1.weight[3] *= 1e-3
        net.conv1.bias[4] = -1e6
        net.conv1.weight[5] *= 50
    after = dict(
        zip(
            ("filters", "dead", "median", "largest"),
            measure(InputLoader(net, shards, 1), Visualize(top_k=2))[:4],
            strict=True,
        )
    )
    assert after["filters"] == 8
    assert after["dead"] == before[1] + 2
    assert after["largest"] == pytest.approx(net.conv1.weight[5].square().mean().sqrt().item())


def test_shifting_a_flat_image_changes_nothing(make_net, shards):
    class Flat:
        def batches(self, indices, batch, threads):
            from zfnet.data.loader import Batch

            flat = torch.full((2, 72, 72, 3), 80, dtype=torch.uint8)
            yield Batch(flat, torch.zeros(2), torch.arange(2))

    net = make_net()
    assert shift_change(InputLoader(net, Flat(), 1), [0, 1]) == 0
    assert shift_change(InputLoader(net, shards, 1), [0, 1]) > 0.01
