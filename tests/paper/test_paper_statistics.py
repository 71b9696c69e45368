"""Intervals and tests against SciPy and by exact small cases; their error rates are in test_paper_levels.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zfnet.core.errors import ZfnetError
from zfnet.paper.claims.across_nets import over_nets
from zfnet.paper.claims.verdicts import conclude, directed, equal, equivalence_level
from zfnet.paper.statistics import Interval, holm, nets_interval, t_interval, units_interval

VALUES = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=3, max_size=12)


@given(VALUES.filter(lambda values: np.std(values) > 1e-6))
def test_t_interval_is_scipys(values):
    ours = t_interval(values, 0.95)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


@given(VALUES.filter(lambda values: np.std(values) > 1e-6), st.booleans(), st.floats(-3, 3))
def test_p_is_scipys(values, above, threshold):
    theirs = stats.ttest_1samp(values, threshold, alternative="greater" if above else "less").pvalue
    assert t_interval(values).p(above, threshold) == pytest.approx(theirs, abs=1e-9)


def test_nadeau_bengio_widens_by_the_share_of_test_images():
    values, n = [1.0, 2.0, 4.0, 3.0, 2.5], 5
    plain, corrected = t_interval(values), t_interval(values, test_train_ratio=0.5)
    ratio = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert ratio == pytest.approx(np.sqrt((1 / n + 0.5) / (1 / n)))


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.1], [2.0, 2.0, 2.0]], ids=["one", "two", "alike"])
def test_too_little_gives_a_difference_and_no_interval(values):
    found = t_interval(values)
    assert (found.known, found.text(), found.p(True), found.p(False)) == (False, "", 1.0, 1.0)
    assert found.value == pytest.approx(np.mean(values))
    part = directed("", found, above=True)
    assert conclude([part], 0.95).outcome == "undecided"


def test_two_sources_of_variance_add_their_squared_half_widths():
    both = Interval(0.0, 3, ((3.0, 2), (4.0, 30)))
    halves = 3 * stats.t.ppf(0.975, 2), 4 * stats.t.ppf(0.975, 30)
    assert both.high == pytest.approx(np.hypot(*halves))
    assert Interval(both.high, 3, both.errors).p(above=True) == pytest.approx(0.025)


def test_one_source_alone_is_students():
    assert Interval(1.0, 4, ((0.5, 3), (0.0, 9))).p(True) == pytest.approx(stats.t.sf(2, 3))


def test_units_that_stand_alone_give_the_t_interval():
    values = np.array([1.0, 2.0, 4.0, 3.0, 2.5])
    ours, plain = units_interval(values, np.arange(5)), t_interval(values)
    assert (ours.low, ours.high) == pytest.approx((plain.low, plain.high))


def test_values_of_one_unit_count_once():
    values = np.array([1.0, 2.0, 4.0, 3.0])
    doubled = units_interval(np.repeat(values, 2), np.repeat(np.arange(4), 2))
    assert doubled == units_interval(values, np.arange(4))


def test_nets_that_saw_other_units_give_the_t_interval_of_their_means():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(4, 400)) + rng.normal(size=(4, 1))
    found = nets_interval(table.ravel(), np.repeat(np.arange(4), 400), np.arange(1600))
    plain = t_interval(table.mean(1))
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), rel=1e-3)


def test_what_all_nets_see_alike_is_no_more_certain_for_being_seen_by_several():
    images, nets = np.random.default_rng(1).normal(size=200), 5
    slight = 1e-6 * np.arange(nets)[:, None]
    table = images + slight
    found = nets_interval(table.ravel(), np.repeat(np.arange(nets), 200), np.tile(np.arange(200), nets))
    plain = t_interval(images)
    assert (found.high - found.low) == pytest.approx(plain.high - plain.low, rel=1e-2)


def test_pairs_of_one_animal_widen_the_interval():
    rng = np.random.default_rng(4)
    animals = rng.normal(size=12)
    pairs = np.array([(a, b) for a in range(12) for b in range(a + 1, 12)])
    values = animals[pairs].sum(1)
    clustered, naive = units_interval(values, pairs), t_interval(values)
    assert clustered.value == pytest.approx(naive.value)
    assert clustered.high - clustered.low > 1.5 * (naive.high - naive.low)
    assert clustered.errors[0][0] == pytest.approx(2 * animals.std(ddof=1) / np.sqrt(12), rel=0.2)


def test_a_few_nets_are_shown_with_an_interval_over_what_they_show():
    one = over_nets(0.95, "", [np.array([1.0, 2.0, 3.0])])
    assert (one.interval.n, one.interval.low) == (3, pytest.approx(t_interval([1, 2, 3]).low))
    three = over_nets(0.95, "", [np.array([1.0, 2.0]), np.array([2.0, 3.0]), np.array([4.0, 4.0])])
    assert (three.interval.n, three.interval.value) == (3, pytest.approx(16 / 6))


@pytest.mark.parametrize(
    ("p", "expected"), [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.5, 0.9], [1.0, 1.0]), ([0.02], [0.02])]
)
def test_holm_by_hand(p, expected):
    assert holm(p) == pytest.approx(expected)


def test_equivalence_is_the_ninety_per_cent_interval_inside_the_margin():
    assert equivalence_level(0.95) == pytest.approx(0.90)

    def verdict(values, margin):
        interval = t_interval(values, equivalence_level(0.95))
        return conclude([equal("", interval, margin)], 0.95).outcome

    near, far = [0.1, -0.1, 0.05, 0.0, -0.05], [3.0, 3.1, 2.9, 3.05, 2.95]
    assert [verdict(values, 1.0) for values in (near, far, [-3.0, 3.0, 0.1])] == ["holds", "fails", "undecided"]
    inside = t_interval(near, 0.90)
    assert verdict(near, inside.high + 1e-9) == "holds"
    assert verdict(near, inside.high - 1e-9) == "undecided"


def test_a_claim_holds_by_all_of_its_parts_and_fails_by_one():
    up, down, wide = ([2.0, 2.1, 1.9], [-2.0, -2.1, -1.9], [-3.0, 3.0, 0.1])

    def verdict(*all_values, partial=""):
        parts = [directed(str(values), t_interval(values, 0.95), True) for values in all_values]
        return conclude(parts, 0.95, partial=partial).outcome

    assert verdict(up, up) == "holds"
    assert verdict(up, wide) == "undecided"
    assert verdict(up, wide, down) == "fails"
    assert verdict(up, partial="half of it") == "undecided"
    assert verdict(down, partial="half of it") == "fails"


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ZfnetError, match="finite"):
        t_interval([1.0, float("nan")])


def test_every_net_counts_alike_however_much_it_shows():
    values, nets = [1.0, 3.0, 5.0, 5.0, 5.0, 5.0, 8.0], np.array([0, 0, 1, 1, 1, 1, 2])
    found = nets_interval(values, nets, np.arange(7))
    alone = t_interval([2.0, 5.0, 8.0])
    assert found.value == alone.value and found.errors[0] == pytest.approx(alone.errors[0])
