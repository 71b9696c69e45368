"""Claims about first-layer filters: results that support, contradict or leave open a claim get that verdict."""

import numpy as np
import pytest
from claim_results import decided, write_csv
from safetensors.numpy import save_file

from zfnet.core.files import write_json


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
