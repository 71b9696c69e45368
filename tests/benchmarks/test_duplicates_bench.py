"""The benchmark of the search for near-duplicates runs at a tiny size and marks its estimates as such."""

import math

import pytest

from benchmarks import duplicates
from benchmarks.harness import Bench


@pytest.mark.slow
def test_pairs_per_second_and_estimates(tmp_path):
    row, remark = duplicates.results(Bench(tmp_path, 1, quick=True))
    assert row.unit == "pairs/s" and row.peer_name == "exhaustive search"
    assert all(math.isfinite(value) and value > 0 for value in (row.ours, row.peer, row.peak_mb))
    assert "An estimate from that: 30,607 x 1,281,167" in remark
    assert "the search alone: reading the training images and shrinking them to thumbnails takes extra time" in remark
