"""No decision rule calls noise a finding more often than it says: thousands of worlds in which nothing is true.

A rule is asked in each world; the share of false verdicts is tested against the level of one side (2.5 %) by an exact
binomial test, so that only a rule that is really too bold fails. The worlds are seeded: a pass stays a pass.
"""

import numpy as np
import pytest
from scipy import stats

from zfnet.paper.claims.verdicts import conclude, directed, equal, equivalence_level
from zfnet.paper.claims.visual_measures import difference_terms
from zfnet.paper.statistics import nets_interval, t_interval, units_interval

LEVEL, SIDE = 0.95, 0.025
WORLDS = 1500


def rarely(count: int, worlds: int, level: float = SIDE) -> bool:
    """Whether so many false verdicts are what `level` allows."""
    return stats.binomtest(int(count), worlds, level, alternative="greater").pvalue > 0.01


def sides(intervals) -> tuple[int, int]:
    """How many intervals lie wholly above, and wholly below zero."""
    found = list(intervals)
    return sum(one.low > 0 for one in found), sum(one.high < 0 for one in found)


@pytest.mark.parametrize("n", [3, 5])
def test_paired_trainings(n):
    rng = np.random.default_rng(n)
    assert all(rarely(count, WORLDS) for count in sides(t_interval(rng.normal(size=n)) for _ in range(WORLDS)))


@pytest.mark.parametrize("n", [3, 5])
def test_errors_of_few_digits(n):
    """Error rates on 100 images take few values, so that repetitions often agree by chance."""
    rng = np.random.default_rng(n)
    worlds = (t_interval(rng.binomial(100, 0.3, n) - rng.binomial(100, 0.3, n)) for _ in range(WORLDS))
    assert all(rarely(count, WORLDS) for count in sides(worlds))


@pytest.mark.parametrize(("n", "bootstrap"), [(3, 0.2), (5, 0.12)])
def test_a_percentile_bootstrap_of_few_repetitions_would_not_do(n, bootstrap):
    """Why there is none: it misses the truth in 25 and 15 % of worlds instead of 5, where t does not."""
    values = np.random.default_rng(n).normal(size=(WORLDS, n))
    drawn = np.random.default_rng(0).integers(0, n, (400, n))
    low, high = np.quantile(values[:, drawn].mean(2), [SIDE, 1 - SIDE], axis=1)
    assert np.mean((low > 0) | (high < 0)) > bootstrap
    t = [t_interval(one) for one in values]
    assert rarely(sum(one.low > 0 or one.high < 0 for one in t), WORLDS, 2 * SIDE)


def test_folds_that_share_images():
    """Folds of one set agree on what that set is like; the plain t interval takes that for precision."""
    rng, share = np.random.default_rng(0), 0.5
    spread = np.sqrt(share / (1 + share))  # correlation of folds that Nadeau and Bengio assume
    folds = [spread * rng.normal() + np.sqrt(1 - spread**2) * rng.normal(size=5) for _ in range(WORLDS)]
    assert all(rarely(count, WORLDS) for count in sides(t_interval(one, LEVEL, share) for one in folds))
    assert not rarely(sum(sides(t_interval(one) for one in folds)), WORLDS, 2 * SIDE)


WORLD = {  # spread of nets, of images (seen by all nets), of what is left
    "nets differ": (1.0, 0.0, 1.0),
    "images differ": (0.0, 1.0, 0.1),
    "both": (0.3, 1.0, 1.0),
    "neither": (0.0, 0.0, 1.0),
}


@pytest.mark.parametrize("nets", [3, 5])
@pytest.mark.parametrize("world", WORLD)
def test_nets_on_the_same_images(nets, world):
    rng, images = np.random.default_rng(nets), 30
    of_nets, of_images, rest = WORLD[world]
    which, shown = np.repeat(np.arange(nets), images), np.tile(np.arange(images), nets)

    def noise():
        values = rng.normal(size=nets)[which] * of_nets + rng.normal(size=images)[shown] * of_images
        return values + rng.normal(size=which.size) * rest

    assert all(rarely(count, WORLDS) for count in sides(nets_interval(noise(), which, shown) for _ in range(WORLDS)))


@pytest.mark.parametrize("maps", [(57, 57, 5), (57, 20, 5), (57, 3, 3)])
def test_nets_that_show_unequal_numbers_of_maps(maps):
    """C35 to C41: maps that do not respond are left out, of one net more than of another."""
    rng = np.random.default_rng(0)
    which, shown = np.repeat(np.arange(3), maps), np.arange(sum(maps))
    worlds = (
        nets_interval(rng.normal(size=3)[which] + rng.normal(size=shown.size), which, shown) for _ in range(WORLDS)
    )
    assert all(rarely(count, WORLDS) for count in sides(worlds))


def test_ensembles_that_gain_nothing():
    """C3, C5 and C51: misses of three nets against misses of the same difficulty, image by image."""
    rng, images = np.random.default_rng(0), 400
    which, shown = np.repeat(np.arange(3), images), np.tile(np.arange(images), 3)

    def noise():
        hard = rng.random(images)  # of each image, for all nets
        return (rng.random((3, images)) < hard).ravel() * 1.0 - (rng.random(images) < hard)[shown]

    assert all(rarely(count, 800) for count in sides(nets_interval(noise(), which, shown) for _ in range(800)))


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_shares_of_images_on_three_nets(share):
    """C33: whether something happens in more than a given share of images, when nets agree on half of them."""
    rng, images = np.random.default_rng(0), 30
    which, shown = np.repeat(np.arange(3), images), np.tile(np.arange(images), 3)

    def noise():
        common = np.tile(rng.random(images) < share, 3)
        alone = rng.random(3 * images) < share
        return np.where(np.tile(rng.random(images) < 0.5, 3), common, alone) - share

    intervals = [nets_interval(noise(), which, shown) for _ in range(WORLDS)]
    assert rarely(sum(one.low > 0 for one in intervals), WORLDS)  # the other side is not claimed: "in few pictures"


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_three_nets_beside_untrained_ones(spread):
    """C35, C36 and C37: means over the maps of trained and of untrained nets, when training changes nothing."""
    rng = np.random.default_rng(0)
    which, shown = np.repeat(np.arange(3), 50), np.arange(150)

    def noise():
        pairs = [(rng.normal(size=30) + spread * rng.normal(), rng.normal(size=20)) for _ in range(3)]
        return np.concatenate([difference_terms(*pair) for pair in pairs])

    assert all(rarely(count, WORLDS) for count in sides(nets_interval(noise(), which, shown) for _ in range(WORLDS)))


@pytest.mark.parametrize("animals", [20, 30])
@pytest.mark.parametrize("spread", [(1.0, 1.0), (0.0, 1.0)], ids=["animals differ", "pairs differ"])
def test_pairs_of_animals_on_three_nets(animals, spread):
    """C30: a pair counts for both of its animals, and all nets see the same ones."""
    rng, worlds = np.random.default_rng(animals), 500
    pairs = np.array([(a, b) for a in range(animals) for b in range(a + 1, animals)])
    which, shown = np.repeat(np.arange(3), len(pairs)), np.tile(pairs, (3, 1))

    def noise():
        own = np.tile(rng.normal(size=animals)[pairs].sum(1) * spread[0], 3)
        return own + rng.normal(size=which.size) * spread[1] + rng.normal(size=3)[which] * 0.1

    assert all(rarely(count, worlds) for count in sides(nets_interval(noise(), which, shown) for _ in range(worlds)))


def test_pairs_on_one_net_are_about_right():
    """One net decides nothing, but its interval is shown: with 20 animals it covers in 93 of 100 worlds."""
    rng = np.random.default_rng(0)
    pairs = np.array([(a, b) for a in range(20) for b in range(a + 1, 20)])
    found = [units_interval(rng.normal(size=20)[pairs].sum(1) + rng.normal(size=190), pairs) for _ in range(500)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) > 0.91


def claims(make, worlds: int = 800) -> list[str]:
    """Verdicts of a claim in worlds without truth."""
    return [conclude(make(), LEVEL).outcome for _ in range(worlds)]


@pytest.mark.parametrize("count", [2, 6])
def test_a_claim_of_many_parts_neither_holds_nor_fails_by_chance(count):
    """All parts must agree to hold; that one part of many lies on the other side by chance is not a failure."""
    rng = np.random.default_rng(count)
    found = claims(lambda: [directed("", t_interval(rng.normal(size=5), LEVEL), True) for _ in range(count)])
    assert rarely(found.count("holds"), 800) and rarely(found.count("fails"), 800)


def test_a_claim_that_just_misses_in_one_part_rarely_holds():
    rng = np.random.default_rng(7)
    found = claims(lambda: [directed("", t_interval(rng.normal(at, 1, 5), LEVEL), True) for at in (50, 50, 0)])
    assert rarely(found.count("holds"), 800)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0])
def test_a_difference_as_large_as_the_margin_is_rarely_called_none(n, spread):
    """Two one-sided tests have the level 5 %, and a difference inside the margin rarely fails."""
    rng = np.random.default_rng(n)
    found = claims(lambda: [equal("", t_interval(rng.normal(2.0, spread, n), equivalence_level(LEVEL)), 2.0)])
    assert rarely(found.count("holds"), 800, 2 * SIDE) and rarely(found.count("fails"), 800)


@pytest.mark.parametrize("effect", [-1, 1])
def test_what_is_there_is_found(effect):
    """An effect of three standard deviations is decided with five nets nearly always, and never the wrong way."""
    rng = np.random.default_rng(3)
    found = claims(lambda: [directed("", t_interval(rng.normal(3 * effect, 1, 5), LEVEL), True)], 400)
    right, wrong = ("holds", "fails") if effect > 0 else ("fails", "holds")
    assert found.count(right) > 0.95 * 400 and found.count(wrong) == 0


def test_what_is_too_noisy_stays_open():
    rng = np.random.default_rng(4)
    found = claims(lambda: [directed("", t_interval(rng.normal(0.3, 1, 5), LEVEL), True)], 400)
    assert found.count("undecided") > 0.85 * 400
