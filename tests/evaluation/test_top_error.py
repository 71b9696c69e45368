"""Top-k error against brute force and by hand; ensembles; the server's file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zfnet.core.errors import ZfnetError
from zfnet.evaluation.ensemble import combine
from zfnet.evaluation.submission_file import submission
from zfnet.evaluation.top_k import missed, top_error

few = st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0])  # few values, so that ties are common


def worst_place(row, label):
    """Return the rank (from 0) of the label in the ranking that puts it behind all ties."""
    return sorted(range(len(row)), key=lambda c: (-row[c], c == label)).index(label)


@given(rows=arrays(np.float32, (6, 7), elements=few), labels=arrays(np.int64, 6, elements=st.integers(0, 6)))
def test_error_is_that_of_the_worst_ranking(rows, labels):
    for k in (1, 5, 7, 9):
        places = np.array([worst_place(row, label) for row, label in zip(rows, labels, strict=True)])
        assert missed(rows, labels, k).tolist() == (places >= k).tolist()


@given(rows=arrays(np.float64, (5, 6), elements=st.floats(0, 1), unique=True))
def test_without_ties_it_is_the_usual_error(rows):
    labels = np.arange(5)
    usual = [label not in np.argsort(row)[-2:] for row, label in zip(rows, labels, strict=True)]
    assert top_error(rows, labels, 2) == 100 * np.mean(usual)


def test_error_by_hand_is_in_per_cent():
    rows = [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.1, 0.8, 0.1]]
    assert top_error(rows, [0, 1, 0, 1], 1) == 50.0
    assert top_error(rows, [0, 1, 0, 1], 2) == 25.0  # the third ties with class 2 for the second place
    assert top_error(rows, [0, 1, 0, 1], 3) == 0.0


def test_a_broken_net_is_never_right_by_luck():
    assert top_error(np.full((3, 6), np.nan), [0, 1, 2], 5) == 100
    assert top_error(np.full((3, 6), 1 / 6), [0, 1, 2], 5) == 100


@pytest.mark.parametrize(
    "rows, labels, words",
    [
        (np.zeros((0, 5)), np.zeros(0, int), "at least one image"),
        (np.zeros((2, 5)), [1], "do not match"),
        (np.zeros(5), [1], "do not match"),
        (np.zeros((2, 5)), [1, -1], "label -1"),
        (np.zeros((2, 5)), [5, 1], "label 5"),
    ],
)
def test_wrong_input_is_reported(rows, labels, words):
    with pytest.raises(ZfnetError, match=words):
        top_error(rows, labels, 1)


def test_an_ensemble_is_the_mean_over_nets():
    a, b = np.array([[0.5, 0.5], [0.9, 0.1]], np.float32), np.array([[0.1, 0.9], [0.3, 0.7]], np.float32)
    mean = combine([a, b])
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, [[0.3, 0.7], [0.6, 0.4]], rtol=1e-6)
    np.testing.assert_array_equal(combine([a]), a)


@pytest.mark.parametrize("members", [[], [np.zeros((2, 3)), np.zeros((2, 4))]])
def test_an_ensemble_needs_one_shape(members):
    with pytest.raises(ZfnetError, match="one shape"):
        combine(members)


def test_a_submission_names_the_five_best_by_the_devkits_numbers():
    rows = [[0.05, 0.4, 0.3, 0.1, 0.1, 0.05], [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]]
    assert submission(rows, ids=[100, 7, 3, 44, 5, 999]) == "7 3 44 5 100\n100 7 3 44 5\n"


@given(rows=arrays(np.float32, (3, 8), elements=st.floats(0, 1, width=32), unique=True))
def test_a_submission_misses_what_top5_misses(rows):
    lines = [list(map(int, line.split())) for line in submission(rows, ids=range(1, 9)).splitlines()]
    for label in range(8):
        assert [label + 1 not in line for line in lines] == missed(rows, [label] * 3, 5).tolist()


@pytest.mark.parametrize(
    "rows, ids, words",
    [
        (np.zeros((2, 4)), range(4), "at least 5"),
        (np.zeros((2, 6)), range(5), "5 different"),
        (np.zeros((2, 6)), [1, 2, 3, 4, 5, 5], "5 different"),
        (np.full((2, 6), np.nan), range(6), "not all finite"),
    ],
)
def test_a_submission_that_would_be_wrong_is_refused(rows, ids, words):
    with pytest.raises(ZfnetError, match=words):
        submission(rows, ids)
