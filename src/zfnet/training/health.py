"""Detection of failed trainings: a loss that is not finite, and a loss that stays at chance (docs/recipes.md)."""

from math import isfinite, log

from zfnet.core.errors import ZfnetError
from zfnet.settings import Recipe

CHANCE = 0.01  # a loss within 1 % of ln(classes) is at chance
EARLY = 2000  # steps after which a loss at chance deserves a warning; nets that learn have usually left it by then
REMEDIES = (
    "init_bias 0.1 or 0 instead of 1, scale_init_std on, a lower learning rate where minibatches are small, more epochs"
)


def check_finite(loss: float, run: str, epoch: int, step: int, learning_rate: float) -> None:
    """Stop a training whose summed loss is not finite.

    Raises
    ------
    ZfnetError
        With the epoch and step (counted from 1) at which this was noticed, the learning rate, and what to try.
    """
    if not isfinite(loss):
        raise ZfnetError(
            f"{run}: the loss became {loss} in epoch {epoch}, at or shortly before step {step}, with learning rate "
            f"{learning_rate:g}; expected a finite number. Try a tenth of that learning rate, or set max_filter_rms if "
            "it is off."
        )


def at_chance(loss: float, classes: int) -> bool:
    """Return whether a loss is no better than that of a net that gives all classes the same probability."""
    return loss >= (1 - CHANCE) * log(classes)


def warn_if_at_chance(loss: float, classes: int, run: str, steps: int, previous_steps: int) -> None:
    """Print a warning, once, if the loss is still at chance after `EARLY` steps, long before this may end the training.

    `loss` is the mean over the running epoch, `previous_steps` the number of steps at the previous check.
    """
    if previous_steps < EARLY <= steps and at_chance(loss, classes):
        print(
            f"{run}: after {steps} steps the loss is {loss:.3f}, no better than chance (ln {classes} = "
            f"{log(classes):.3f}). It may still improve; known remedies: {REMEDIES}.",
            flush=True,
        )


def check_stuck(loss: float, classes: int, run: str, epoch: int, recipe: Recipe) -> bool:
    """Return whether the training is stuck at chance after `epoch` epochs; never before `stuck_after` of them.

    Raises
    ------
    ZfnetError
        It is stuck, and the recipe says to stop.
    """
    if epoch < recipe.stuck_after * recipe.epochs or not at_chance(loss, classes):
        return False
    status = (
        f"{run}: after {epoch} of {recipe.epochs} epochs the loss is {loss:.3f}, no better than chance "
        f"(ln {classes} = {log(classes):.3f})."
    )
    if recipe.if_stuck == "stop":
        raise ZfnetError(
            f"{status} Known remedies: {REMEDIES}; or set `if_stuck: warn` in this recipe to train to the end anyway."
        )
    if epoch - 1 < recipe.stuck_after * recipe.epochs:  # print it once
        print(f"{status} Training continues, because the recipe says `if_stuck: warn`.", flush=True)
    return True
