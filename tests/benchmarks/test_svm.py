"""The benchmarks of the heads run at tiny sizes and yield the expected rows."""

import math

import pytest

from benchmarks import softmax, svm
from benchmarks.harness import Bench, Row
from zfnet.core.files import read_json


def quick_run(group, tmp_path):
    """Return the rows and remarks of a quick run."""
    results = list(group.results(Bench(tmp_path, 1, quick=True)))
    return [result for result in results if isinstance(result, Row)], [
        result for result in results if isinstance(result, str)
    ]


@pytest.mark.slow
def test_svm_reaches_the_objective_of_linearsvc_and_marks_its_estimate(tmp_path):
    rows, remarks = quick_run(svm, tmp_path)
    assert [row.unit for row in rows] == ["s", "relative", "s"]
    assert all(math.isfinite(row.ours) and row.ours > 0 for row in rows)
    assert rows[0].peer_name == "LinearSVC" and rows[0].ratio > 0
    assert rows[1].ours < 1e-3 and rows[2].peak_mb > 10
    assert "is an estimate" in remarks[0] and not (tmp_path / "conv1.npy").exists()
    seconds = read_json(tmp_path / "conv1.json")
    assert all(value > 0 for value in seconds.values()) and sum(seconds.values()) == pytest.approx(rows[2].ours)
    assert "30 training and 20 test images" in remarks[1] and "are random" in remarks[1]


@pytest.mark.slow
def test_softmax_reaches_the_objective_of_logistic_regression(tmp_path):
    rows, _ = quick_run(softmax, tmp_path)
    assert [row.unit for row in rows] == ["s", "loss"]
    assert rows[1].ours == pytest.approx(rows[1].peer, rel=1e-4)
