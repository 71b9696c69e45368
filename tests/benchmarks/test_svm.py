"""The benchmarks of the heads run at tiny sizes and say what they should say."""

import math

import pytest

from benchmarks import softmax, svm
from benchmarks.harness import Bench, Row
from zfnet.core.files import read_json


def found(group, tmp_path):
    """Rows and remarks of a quick run."""
    results = list(group.results(Bench(tmp_path, 1, quick=True)))
    return [one for one in results if isinstance(one, Row)], [one for one in results if isinstance(one, str)]


@pytest.mark.slow
def test_svm_reaches_the_objective_of_linearsvc_and_says_what_is_estimated(tmp_path):
    rows, remarks = found(svm, tmp_path)
    assert [row.unit for row in rows] == ["s", "relative", "s"]
    assert all(math.isfinite(row.ours) and row.ours > 0 for row in rows)
    assert rows[0].peer_name == "LinearSVC" and rows[0].ratio > 0
    assert rows[1].ours < 1e-3 and rows[2].peak_mb > 10
    assert "is an estimate" in remarks[0] and not (tmp_path / "layer-1.npy").exists()
    seconds = read_json(tmp_path / "layer-1.json")
    assert all(value > 0 for value in seconds.values()) and sum(seconds.values()) == pytest.approx(rows[2].ours)
    assert "30 training and 20 test pictures" in remarks[1] and "drawn at random" in remarks[1]


@pytest.mark.slow
def test_softmax_reaches_the_objective_of_logistic_regression(tmp_path):
    rows, _ = found(softmax, tmp_path)
    assert [row.unit for row in rows] == ["s", "loss"]
    assert rows[1].ours == pytest.approx(rows[1].peer, rel=1e-4)
