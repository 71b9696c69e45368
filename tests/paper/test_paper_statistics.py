"""Intervals and tests against SciPy, by their error rates on noise, and by exact small cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zfnet.errors import ZfnetError
from zfnet.paper.findings import Contrast, equivalence, family, judge
from zfnet.paper.statistics import (
    Interval,
    bootstrap_clusters,
    bootstrap_mean,
    equivalence_level,
    holm,
    p_value,
    t_interval,
)

VALUES = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=12)


@given(VALUES.filter(lambda values: np.std(values) > 1e-6))
def test_t_interval_is_scipys(values):
    ours = t_interval(values, 0.95)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


@given(VALUES.filter(lambda values: np.std(values) > 1e-6), st.booleans())
def test_p_value_is_scipys(values, above):
    theirs = stats.ttest_1samp(values, 0, alternative="greater" if above else "less").pvalue
    assert p_value(values, above) == pytest.approx(theirs)


def test_nadeau_bengio_widens_by_the_share_of_test_images():
    values, n = [1.0, 2.0, 4.0, 3.0, 2.5], 5
    plain, corrected = t_interval(values), t_interval(values, test_share=0.5)
    ratio = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert ratio == pytest.approx(np.sqrt((1 / n + 0.5) / (1 / n)))


def test_one_value_gives_a_difference_and_no_interval():
    one = t_interval([2.0])
    assert (one.value, one.known, one.text()) == (2.0, False, "")
    assert judge(one, above=True) == "undecided"


def test_t_intervals_call_noise_an_effect_as_rarely_as_they_say():
    rng = np.random.default_rng(0)
    verdicts = [judge(t_interval(rng.normal(size=5), 0.95), above=True) for _ in range(2000)]
    assert verdicts.count("holds") / 2000 == pytest.approx(0.025, abs=0.012)
    assert verdicts.count("fails") / 2000 == pytest.approx(0.025, abs=0.012)


def test_bootstrap_calls_noise_an_effect_as_rarely_as_it_says():
    rng = np.random.default_rng(1)
    samples = rng.choice([-1, 0, 1], size=(400, 300), p=[0.1, 0.8, 0.1])
    verdicts = [judge(bootstrap_mean(sample, 0.95, 400, seed), True) for seed, sample in enumerate(samples)]
    assert verdicts.count("holds") + verdicts.count("fails") == pytest.approx(400 * 0.05, abs=18)


def test_bootstrap_of_counts_is_that_of_resampled_values():
    rng = np.random.default_rng(2)
    values = rng.choice([-1.0, 0.0, 1.0], size=200, p=[0.3, 0.5, 0.2])
    drawn = rng.choice(values, size=(20_000, 200)).mean(1)
    ours = bootstrap_mean(values, 0.95, 20_000)
    assert (ours.low, ours.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.006)


def test_bootstrap_is_the_same_every_time():
    values = np.random.default_rng(3).normal(size=50)
    assert bootstrap_mean(values, 0.95, 500) == bootstrap_mean(values, 0.95, 500)


def test_resampling_animals_gives_wider_intervals_than_resampling_pairs():
    rng = np.random.default_rng(4)
    animals = rng.normal(size=12)
    pairs = np.array([(a, b) for a in range(12) for b in range(a + 1, 12)])
    values = animals[pairs].sum(1)  # pairs of one animal go together
    clustered, naive = bootstrap_clusters(values, pairs, 0.95, 4000), bootstrap_mean(values, 0.95, 4000)
    assert clustered.value == pytest.approx(naive.value)
    assert clustered.high - clustered.low > 1.5 * (naive.high - naive.low)


@pytest.mark.parametrize(
    ("p", "expected"), [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.5, 0.9], [1.0, 1.0]), ([0.02], [0.02])]
)
def test_holm_by_hand(p, expected):
    assert holm(p) == pytest.approx(expected)


def test_a_family_of_noise_rarely_finds_anything():
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(500):
        parts = family([Contrast(str(i), rng.normal(size=5)) for i in range(6)], 0.95)
        found += any(part.verdict == "holds" for part in parts)
    assert found / 500 < 0.05


def test_equivalence_is_the_ninety_per_cent_interval_inside_the_margin():
    assert equivalence_level(0.95) == pytest.approx(0.90)
    near, far = [0.1, -0.1, 0.05, 0.0, -0.05], [3.0, 3.1, 2.9, 3.05, 2.95]
    assert equivalence(Contrast("", near), 1.0, 0.95).verdict == "holds"
    assert equivalence(Contrast("", far), 1.0, 0.95).verdict == "fails"
    assert equivalence(Contrast("", [-3.0, 3.0, 0.1]), 1.0, 0.95).verdict == "undecided"
    inside = t_interval(near, 0.90)
    assert equivalence(Contrast("", near), inside.high + 1e-9, 0.95).verdict == "holds"
    assert equivalence(Contrast("", near), inside.high - 1e-9, 0.95).verdict == "undecided"


def test_a_whole_interval_on_one_side_decides():
    assert judge(Interval(1, 0.5, 1.5, 3), above=True) == "holds"
    assert judge(Interval(1, 0.5, 1.5, 3), above=False) == "fails"
    assert judge(Interval(1, -0.5, 1.5, 3), above=True) == "undecided"


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ZfnetError, match="finite"):
        t_interval([1.0, float("nan")])
