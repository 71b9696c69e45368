"""What learns: a net, its optimiser, and the update from one minibatch of squares (PAPER.md 2, 4).

The trainer hands over uint8 squares as they lie in the shards and hears nothing back until it asks: loss and wrong
answers are summed on the device, so that no update waits for the one before.

Data parallelism: each process makes a Learner of its own `Part` and hands it its rows of the global minibatch. Views
are drawn for the whole minibatch and then sliced, so that a picture's crop does not depend on the number of
processes; dropout differs between them. Gradients must be averaged by `module`, as DistributedDataParallel does.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from zfnet.nets import Network
from zfnet.settings import Recipe
from zfnet.training.randomness import seed_of
from zfnet.training.step import momenta, optimiser, restart_rate, set_momenta, set_rate, update
from zfnet.training.views import training_views

Place = tuple[int, int, int]  # (seed, epoch, step)


class Part(NamedTuple):
    """Which of the processes that share each minibatch this one is; the minibatch divides evenly among them."""

    rank: int = 0
    ranks: int = 1


ALONE = Part()


class Learner:
    """A net in training.

    Parameters
    ----------
    net : on the device to learn on.
    rate : learning rate of the weights.
    covariance : float32 (3, 3) of the training set's RGB values, for the colour noise.
    part : of each minibatch, where several processes share it.
    module : what is called as `net` is, and averages the gradients of all parts: a DistributedDataParallel of `net`;
        None is `net` itself. `net` must be inside it.

    Attributes
    ----------
    sums : float64 (2,), on the device: loss and wrong answers, summed over this part's images since `clear`.
    """

    def __init__(
        self,
        net: Network,
        recipe: Recipe,
        rate: float,
        covariance: Tensor,
        part: Part = ALONE,
        module: nn.Module | None = None,
    ) -> None:
        self.net, self.recipe, self.covariance, self.part = net, recipe, covariance.cpu(), part
        self.module = net if module is None else module
        self.device = net.mean.device
        self.optimiser = optimiser(net, recipe, rate)
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.device)

    def learn(self, images: Tensor, labels: Tensor, place: Place, epochs_done: float) -> None:
        """Learn from this part's rows of a minibatch, without waiting for the device.

        Parameters
        ----------
        images : uint8 (B, S, S, 3), on any device.
        labels : int64 (B,), on any device.
        place : decides crops, flips, colours and dropout.
        epochs_done : share of the training that is over, 0..1.
        """
        images = images.to(self.device, non_blocking=True)
        labels = labels.to(self.device, non_blocking=True)
        views = training_views(images, self.net, self.recipe, self.covariance, place, epochs_done, *self.part)
        torch.manual_seed(self._dropout_seed(place))
        loss, wrong = update(self.module, self.optimiser, views, labels, self.recipe)
        self.sums += torch.stack([loss.double() * len(labels), wrong.double()])

    def set_rate(self, rate: float) -> None:
        """Change the learning rate and keep all velocities."""
        set_rate(self.optimiser, rate)

    def clear(self) -> None:
        """Begin new sums."""
        self.sums.zero_()

    def state(self) -> dict[str, Tensor]:
        """Give all weights and momenta, not copied, as `net.NAME` and `momentum.NAME`."""
        tensors = {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}
        return tensors | {f"momentum.{name}": tensor for name, tensor in momenta(self.optimiser, self.net).items()}

    def load_state(self, tensors: dict[str, Tensor], rate: float) -> None:
        """Take over what `state` gave when the learning rate was `rate`."""
        self.net.load_state_dict(_under("net.", tensors))
        set_momenta(self.optimiser, self.net, _under("momentum.", tensors))
        restart_rate(self.optimiser, rate)

    def _dropout_seed(self, place: Place) -> int:
        own = (self.part.rank,) if self.part.rank else ()  # the first part draws what one process alone would
        return seed_of("dropout", *place, *own)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
