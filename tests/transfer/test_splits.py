"""Folds: nothing is ever trained on and tested, and everything is the same for everyone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfnet.core.errors import ZfnetError
from zfnet.transfer.splits import make_splits


def draw(counts, sizes=(1, 3), test=4, folds=3, seed=0, order=None):
    """Folds of classes with so many pictures."""
    labels = np.repeat(np.arange(len(counts)), counts)
    keys = [f"{label}/{i:03d}" for label, count in enumerate(counts) for i in range(count)]
    if order is not None:
        labels, keys = labels[order], [keys[i] for i in order]
    classes = [f"class{i}" for i in range(len(counts))]
    return labels, keys, make_splits(labels, keys, classes, sizes, test, folds, seed)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(5, 14), min_size=2, max_size=5),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    test=st.integers(1, 6),
    seed=st.integers(0, 3),
)
def test_folds_never_share_a_image_between_training_and_testing(counts, sizes, test, seed):
    labels, _, splits = draw(counts, tuple(sizes), test, 2, seed)
    for fold in range(2):
        trained = np.concatenate([splits.split(fold, size).train for size in splits.sizes])
        tests = [splits.split(fold, size).test for size in splits.sizes]
        assert not set(trained) & set(tests[0])
        assert all((other == tests[0]).all() for other in tests)
        assert (np.bincount(labels[tests[0]]) == np.minimum(test, np.array(counts) - max(sizes))).all()
        for size in splits.sizes:
            assert (np.bincount(labels[splits.split(fold, size).train]) == size).all()
            assert len(set(splits.split(fold, size).train)) == size * len(counts)


def test_smaller_training_sets_are_parts_of_larger_ones():
    _, _, splits = draw([9, 9], sizes=(1, 2, 5))
    sets = [set(splits.split(1, size).train) for size in splits.sizes]
    assert sets[0] < sets[1] < sets[2]


def test_folds_differ_and_repeat():
    _, _, first = draw([12, 12])
    _, _, again = draw([12, 12])
    _, _, other = draw([12, 12], seed=1)
    assert (first.split(0, 3).train == again.split(0, 3).train).all()
    assert set(first.split(0, 3).train) != set(first.split(1, 3).train)
    assert set(first.split(0, 3).train) != set(other.split(0, 3).train)


def test_folds_do_not_depend_on_the_order_of_the_archive():
    _, keys, plain = draw([8, 8])
    _, shuffled, mixed = draw([8, 8], order=np.random.default_rng(3).permutation(16))
    for split, twin in zip(plain, mixed, strict=True):
        assert [keys[i] for i in split.train] == [shuffled[i] for i in twin.train]
        assert [keys[i] for i in split.test] == [shuffled[i] for i in twin.test]


def test_sizes_and_classes_that_cannot_be_served_are_named():
    _, _, splits = draw([20, 3, 20, 9], sizes=(2, 5, 20))
    assert splits.sizes == (2, 5) and splits.classes.tolist() == [0, 2, 3]
    assert splits.left_out == [
        "20 training images per class: only 0 of 4 classes have more.",
        "class class1: 3 images, but 5 for training and one for testing are needed.",
    ]


def test_too_little_data_is_a_sentence():
    with pytest.raises(ZfnetError, match=r"fewer than half of them have an image left for testing after 9"):
        draw([9, 9], sizes=(9, 12))
