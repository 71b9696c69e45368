"""Average precision against the official definition written out, and accuracy per class by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfnet.transfer.metrics import average_precision, class_accuracy, mean_average_precision


def official(scores, truth):
    """Step by step what VOCevalcls and VOCap of the 2010 kit do, with loops."""
    ranked = [truth[i] for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i))]
    recall, precision, hits, alarms = [0.0], [0.0], 0, 0
    for value in ranked:
        hits, alarms = hits + (value > 0), alarms + (value < 0)
        recall.append(hits / sum(t > 0 for t in truth))
        precision.append(hits / (hits + alarms) if hits + alarms else 0.0)
    recall, precision = [*recall, 1.0], [*precision, 0.0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return 100 * sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([-1, -1, 0, 1])), min_size=1, max_size=25))
def test_average_precision_is_the_official_one(pairs):
    scores, truth = (np.array(values) for values in zip(*pairs, strict=True))
    if (truth > 0).any():
        assert average_precision(scores / 7, truth) == pytest.approx(official(scores / 7, truth), abs=1e-9)
    else:
        assert math.isnan(average_precision(scores / 7, truth))


@pytest.mark.parametrize(
    "truth, expected",
    [
        ([1, 1, -1, -1], 100),
        ([-1, -1, 1, 1], 50),  # 1/3, then 2/4: the envelope lifts the first to 1/2
        ([1, -1, 1, -1], 100 * (1 + 2 / 3) / 2),
        ([0, 1, 0, 1], 100),  # difficult pictures are no false alarms
        ([0, 0, 0, 1], 100),
        ([1, 0, -1, 1], 100 * (1 + 2 / 3) / 2),
    ],
)
def test_average_precision_by_hand(truth, expected):
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), np.array(truth)) == pytest.approx(expected)


def test_ties_stay_in_the_order_of_the_images():
    assert average_precision(np.zeros(3), np.array([1, -1, -1])) == 100
    assert average_precision(np.zeros(3), np.array([-1, -1, 1])) == pytest.approx(100 / 3)


def test_classes_without_a_positive_are_left_out_of_the_mean():
    scores = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert math.isnan(average_precision(scores[:, 1], np.array([-1, 0])))
    assert mean_average_precision(scores, np.array([[1, -1], [-1, 0]])) == 100


def test_every_class_counts_the_same():
    labels = np.array([0, 0, 0, 0, 3, 3, 7])
    predicted = np.array([0, 0, 0, 3, 3, 0, 7])
    assert class_accuracy(predicted, labels) == pytest.approx(100 * (3 / 4 + 1 / 2 + 1) / 3)
