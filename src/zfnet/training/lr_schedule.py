"""When the learning rate drops (D9): at milestones, or when the validation error stops improving.

Both papers lowered the learning rate by hand; here it is a function of the errors so far. The state is a plain value,
stored in checkpoints.
"""

from dataclasses import dataclass, replace
from math import inf

from zfnet.settings import LRSchedule


@dataclass(frozen=True)
class Schedule:
    """State of the schedule between two epochs."""

    drops: int = 0  # number of times the learning rate was lowered
    best: float = inf  # lowest error so far
    waiting: int = 0  # epochs since the best error or the last drop


def learning_rate(schedule: Schedule, settings: LRSchedule, initial: float) -> float:
    """Return the learning rate of the coming epoch; `initial` is that of the first epoch."""
    return initial * settings.factor**schedule.drops


def advance(schedule: Schedule, settings: LRSchedule, epochs: int, done: int, error: float) -> Schedule:
    """Return the schedule after `done` of `epochs` epochs, the last of which ended with `error`.

    Milestones are fractions of all epochs: 0.6 of 10 epochs lowers the learning rate after the sixth. A plateau is
    `patience` epochs without a lower error.
    """
    if settings.kind == "milestones":
        return Schedule(drops=sum(done >= milestone * epochs for milestone in settings.milestones))
    return _advance_plateau(schedule, settings, error)


def _advance_plateau(schedule: Schedule, settings: LRSchedule, error: float) -> Schedule:
    if error < schedule.best:
        return replace(schedule, best=error, waiting=0)
    waiting = schedule.waiting + 1
    if waiting < settings.patience or schedule.drops == settings.max_drops:
        return replace(schedule, waiting=waiting)
    return replace(schedule, drops=schedule.drops + 1, waiting=0)
