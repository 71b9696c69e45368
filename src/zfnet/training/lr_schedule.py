"""When the learning rate falls (D9): at milestones, or when the validation error no longer improves.

Both papers anneal by hand; what they did is here a function of the errors so far. The state is a plain value that
goes through a checkpoint unchanged.
"""

from dataclasses import dataclass, replace
from math import inf

from zfnet.settings import LRSchedule


@dataclass(frozen=True)
class Schedule:
    """What annealing remembers between two epochs."""

    drops: int = 0  # how often the rate fell
    best: float = inf  # lowest error so far
    waiting: int = 0  # epochs since then, or since the rate fell


def rate(schedule: Schedule, settings: LRSchedule, start: float) -> float:
    """Give the learning rate of the coming epoch; `start` is that of the first."""
    return start * settings.factor**schedule.drops


def advance(schedule: Schedule, settings: LRSchedule, epochs: int, done: int, error: float) -> Schedule:
    """Give the schedule after `done` of `epochs` epochs, the last of which ended with `error`.

    Milestones are shares of all epochs: with 0.6 of 10 epochs the rate falls after the sixth. A plateau is
    `patience` epochs without a lower error.
    """
    if settings.kind == "milestones":
        return Schedule(drops=sum(done >= share * epochs for share in settings.milestones))
    return _watch_plateau(schedule, settings, error)


def _watch_plateau(schedule: Schedule, settings: LRSchedule, error: float) -> Schedule:
    if error < schedule.best:
        return replace(schedule, best=error, waiting=0)
    waited = schedule.waiting + 1
    if waited < settings.patience or schedule.drops == settings.max_drops:
        return replace(schedule, waiting=waited)
    return replace(schedule, drops=schedule.drops + 1, waiting=0)
