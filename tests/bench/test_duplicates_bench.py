"""The benchmark of the search for near-duplicates runs at a tiny size and calls its estimates estimates."""

import math

import pytest

from zfnet.bench import duplicates
from zfnet.bench.harness import Bench


@pytest.mark.slow
def test_pairs_per_second_and_estimates(tmp_path):
    row, remark = duplicates.results(Bench(tmp_path, 1, quick=True))
    assert row.unit == "pairs/s" and math.isfinite(row.ours) and row.ours > 0 and row.peak_mb > 10
    assert remark.startswith("Estimates from") and "30,607 x 1,281,167" in remark
