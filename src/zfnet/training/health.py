"""Trainings that fail: a loss that is no number, and a loss that never leaves chance (docs/recipes.md)."""

from math import isfinite, log

from zfnet.core.errors import ZfnetError
from zfnet.settings import Recipe

CHANCE = 0.01  # a loss within 1 % of ln(classes) is at chance
EARLY = 2000  # updates after which a loss at chance is worth a word; nets that learn have mostly left it by then
CURES = "initial bias 0.1 or 0 instead of 1, keep_gain on, a lower rate where batches are small, more epochs"


def check_finite(loss: float, run: str, epoch: int, step: int, rate: float) -> None:
    """Stop a training whose summed loss is no longer a number.

    Raises
    ------
    ZfnetError
        With epoch and step (counted from 1) at which this was seen, the rate, and what to try.
    """
    if not isfinite(loss):
        raise ZfnetError(
            f"{run}: the loss became {loss} in epoch {epoch}, at or shortly before step {step}, with learning rate "
            f"{rate:g}; expected a finite number. Try a tenth of that rate, or filter renormalisation where it is off."
        )


def at_chance(loss: float, classes: int) -> bool:
    """Whether a net with this loss knows no more than that there are so many classes."""
    return loss >= (1 - CHANCE) * log(classes)


def tell_early(loss: float, classes: int, run: str, updates: int, since: int) -> None:
    """Say that the training is still at chance after `EARLY` updates, long before that may end it.

    `loss` is the mean of the running epoch, `since` the number of updates at the look before.
    """
    if since < EARLY <= updates and at_chance(loss, classes):
        print(
            f"{run}: after {updates} updates the loss is {loss:.3f}, no better than chance (ln {classes} = "
            f"{log(classes):.3f}). It may still leave it; known cures: {CURES}.",
            flush=True,
        )


def check_stuck(loss: float, classes: int, run: str, epoch: int, recipe: Recipe) -> bool:
    """Say whether the training is stuck at chance after `epoch` epochs; before `stuck_share` of them it never is.

    Raises
    ------
    ZfnetError
        It is, and the recipe says to stop.
    """
    if epoch < recipe.stuck_after * recipe.epochs or not at_chance(loss, classes):
        return False
    found = (
        f"{run}: after {epoch} of {recipe.epochs} epochs the loss is {loss:.3f}, no better than chance "
        f"(ln {classes} = {log(classes):.3f})."
    )
    if recipe.if_stuck == "stop":
        raise ZfnetError(
            f"{found} Known cures: {CURES}; or set this recipe's `stuck: warn` to train to the end all the same."
        )
    if epoch - 1 < recipe.stuck_after * recipe.epochs:  # said once
        print(f"{found} The training goes on, since the recipe says `stuck: warn`.", flush=True)
    return True
