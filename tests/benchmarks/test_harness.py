"""The harness runs benchmarks and writes their tables; no time is checked."""

import csv
import sys
from types import ModuleType

import pytest

from benchmarks.harness import COLUMNS, GROUPS, Bench, Row, run, select_groups
from zfnet.core.errors import ZfnetError


def test_ratio_above_one_means_ours_is_better_for_rates_and_for_costs():
    assert Row("a", ours=30, unit="images/s", peer=10).ratio == 3
    assert Row("a", ours=2, unit="s", peer=10).ratio == 5
    assert Row("a", ours=2, unit="s").ratio is None


def test_groups_keep_their_order_and_an_unknown_one_is_named():
    assert select_groups([]) == GROUPS
    assert select_groups(["norm", "loader"]) == ("loader", "norm")
    with pytest.raises(ZfnetError, match="lodaer: no such benchmark; expected one of loader"):
        select_groups(["lodaer"])


def test_a_failing_side_is_reported_with_its_output(tmp_path):
    with pytest.raises(ZfnetError, match=r"(?s)timing:nothing failed.*AttributeError"):
        Bench(tmp_path, 1, quick=True).side("timing:nothing")


def test_a_run_writes_tables_in_the_contracts_columns_and_a_page(tmp_path, monkeypatch, capsys):
    group = ModuleType("benchmarks.norm")
    group.results = lambda bench: iter([Row("a", 2.0, "s", 10.0, "the peer", 3.0, 1.5), "A remark."])
    monkeypatch.setitem(sys.modules, "benchmarks.norm", group)
    run(("norm",), Bench(tmp_path, 1), tmp_path)
    with (tmp_path / "norm.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert tuple(row) == COLUMNS and float(row["ratio"]) == 5 and float(row["limit"]) == 1.5
    page = (tmp_path / "README.md").read_text()
    assert "| a | 2 | s | 1.5 | 10 | the peer | 5 | 3 |" in page and "- A remark." in page and "1 cores" in page
    assert "Quick sizes" not in page
    run(("norm",), Bench(tmp_path, 1, quick=True), tmp_path)
    again = (tmp_path / "README.md").read_text()
    assert again.index("## norm") < again.index("Quick sizes")  # of the group: others in the folder may be whole runs


def test_rates_are_measured_on_one_core_and_on_all(tmp_path):
    assert [Bench(tmp_path, cores).core_counts for cores in (1, 2, 16)] == [[1], [1, 2], [1, 16]]
    assert Bench(tmp_path, 2, quick=True).core_counts == [2]
