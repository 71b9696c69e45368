"""The benchmark of the strongest activations runs."""

import math

import pytest

from benchmarks import strongest
from benchmarks.harness import Bench, Row


@pytest.mark.slow
def test_it_yields_overhead_speed_memory_and_an_estimate(tmp_path):
    results = list(strongest.results(Bench(tmp_path, 1, quick=True)))
    rows = [result for result in results if isinstance(result, Row)]
    assert [row.case for row in rows[1:]] == ["32 images, width 1/8, 64 px", "64 images, width 1/8, 64 px"]
    assert all(math.isfinite(row.ours) and row.ours > 0 and row.peak_mb > 0 for row in rows)
    assert rows[0].peer > 0
    cost, estimate = (result for result in results if isinstance(result, str))
    assert f"{rows[0].peer / rows[0].ours:.2f} times the plain forward pass" in cost
    assert "50,000 images" in estimate and "an estimate" in estimate
