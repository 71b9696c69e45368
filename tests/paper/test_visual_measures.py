"""Measures behind the claims about what nets see, each against a closed form or a simulation."""

import numpy as np
import pandas as pd
import pytest

from zfnet.paper.claims import visual_measures as measures


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


def test_one_snapshot_has_no_jumps():
    layers = [f"conv{layer}" for layer in range(1, 6)]
    arrays = {f"{layer}/maps": np.arange(2) for layer in layers}
    arrays |= {f"{layer}/projections": np.ones((2, 1, 5, 5, 3), np.float16) for layer in layers}
    rows = [(layer, one, 1, "a") for layer in layers for one in range(2)]
    changed, same = measures.jumps(arrays, pd.DataFrame(rows, columns=["layer", "map", "epoch", "key"]))
    assert changed.size == same.size == 0
