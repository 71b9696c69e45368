import pytest

from zfnet.settings import LRSchedule
from zfnet.training.lr_schedule import Schedule, advance, learning_rate


def rates(settings, errors, start=0.01):
    schedule, lrs = Schedule(), []
    for done, error in enumerate(errors, 1):
        lrs.append(learning_rate(schedule, settings, start))
        schedule = advance(schedule, settings, len(errors), done, error)
    return lrs


def test_milestones_are_fractions_of_the_epochs():
    lrs = rates(LRSchedule(milestones=(0.6, 0.8)), [1.0] * 10)
    assert lrs == pytest.approx([0.01] * 6 + [0.001] * 2 + [0.0001] * 2)


def test_a_milestone_between_two_epochs_waits_for_the_next_one():
    assert rates(LRSchedule(milestones=(0.5,)), [1.0] * 3) == pytest.approx([0.01, 0.01, 0.001])


def test_a_plateau_is_patience_epochs_without_a_better_error():
    settings = LRSchedule(kind="plateau", patience=2, max_drops=2)
    errors = [50, 40, 40, 41, 39, 39, 39, 39, 39, 39, 39]
    #            best ^        drop ^ best   drop ^        and no third one
    assert rates(settings, errors) == pytest.approx([0.01] * 4 + [0.001] * 3 + [0.0001] * 4)


def test_an_improvement_ends_the_wait():
    settings = LRSchedule(kind="plateau", patience=2)
    assert rates(settings, [50, 50, 49, 49, 48, 48, 47]) == pytest.approx([0.01] * 7)
