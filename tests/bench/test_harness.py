"""Benchmarks run, and say what they should say. Nothing here looks at a time."""

import pytest

from zfnet.bench.harness import GROUPS, Bench, Row, chosen
from zfnet.errors import ZfnetError


def test_ratio_above_one_means_ours_is_better_for_rates_and_for_costs():
    assert Row("a", ours=30, unit="images/s", peer=10).ratio == 3
    assert Row("a", ours=2, unit="s", peer=10).ratio == 5
    assert Row("a", ours=2, unit="s").ratio is None


def test_groups_come_in_their_order_and_an_unknown_one_is_named():
    assert chosen([]) == GROUPS
    assert chosen(["norm", "loader"]) == ("loader", "norm")
    with pytest.raises(ZfnetError, match="lodaer: no such benchmark; there are loader"):
        chosen(["lodaer"])


def test_a_failing_side_is_told_with_what_it_printed(tmp_path):
    with pytest.raises(ZfnetError, match=r"(?s)timing:nothing failed.*AttributeError"):
        Bench(tmp_path, 1, quick=True).side("timing:nothing")
