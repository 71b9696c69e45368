"""What learns: a net, its optimiser, and the update from one minibatch of squares (ZF sect. 3).

The trainer hands over uint8 squares as they lie in the shards and hears nothing back until it asks: loss and wrong
answers are summed on the device, so that no update waits for the one before.

Data parallelism: each process makes a Learner of its own `Part` and hands it its rows of the global minibatch. Views
are drawn for the whole minibatch and then sliced, so that a picture's crop does not depend on the number of
processes; dropout differs between them. Gradients must be averaged by `module`, as DistributedDataParallel does.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from zfnet.core.seeds import derive_seed
from zfnet.nets import Network
from zfnet.settings import Compile, Recipe
from zfnet.training.compiled import Answer, Update, fastest, may_compile
from zfnet.training.optim import answer, momenta, optimiser, restart_rate, set_momenta, set_rate, update
from zfnet.training.uploads import Uploads
from zfnet.training.views import Minibatch, draw_views, training_views

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
    step : whether the update is compiled (see `zfnet.training.compiled`); one of several parts never is.

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
        step: Compile = "eager",
    ) -> None:
        self.net, self.recipe, self.covariance, self.part = net, recipe, covariance.cpu(), part
        self.module = net if module is None else module
        self.device = net.mean.device
        if recipe.precision == "fp32":
            torch.backends.cudnn.allow_tf32 = False  # convolutions, on a GPU; matrix products use none by themselves
        self.compiling = may_compile(step, recipe, self.device) and part.ranks == 1
        self.optimiser = optimiser(net, recipe, rate, on_device=self.compiling)
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        self.uploads = Uploads(self.device)
        self._fast: tuple[torch.Size, Update] | None = None

    def learn(self, images: Tensor, labels: Tensor, place: Place, epochs_done: float) -> None:
        """Learn from this part's rows of a minibatch, without waiting for the update itself.

        Parameters
        ----------
        images : uint8 (B, S, S, 3), on any device; may be overwritten afterwards.
        labels : int64 (B,), on any device; may be overwritten afterwards.
        place : decides crops, flips, colours and dropout.
        epochs_done : share of the training that is over, 0..1.
        """
        drawn = draw_views(images, labels, self.net, self.recipe, self.covariance, place, epochs_done, *self.part)
        minibatch = self.uploads(drawn)
        update = self._fastest(minibatch) if self.compiling else self._plainly
        torch.manual_seed(self._dropout_seed(place))
        update(minibatch)
        self.uploads.wait()

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

    def _fastest(self, minibatch: Minibatch) -> Update:
        """Give the compiled update for minibatches of the size of the first, the plain one for others."""
        if self._fast is None:
            kept = [*self.net.parameters(), *momenta(self.optimiser, self.net).values(), self.sums]
            self._fast = minibatch.images.shape, fastest(self._learn, self._answer, minibatch, kept)
        shape, update = self._fast
        return update if minibatch.images.shape == shape else self._plainly

    def _plainly(self, minibatch: Minibatch) -> None:
        self._learn(self._answer, minibatch)

    def _answer(self, minibatch: Minibatch) -> tuple[Tensor, Tensor]:
        return answer(self.module, training_views(minibatch, self.net), minibatch.labels, self.recipe.precision)

    def _learn(self, answer: Answer, minibatch: Minibatch) -> None:
        """Learn by a function that gives loss and wrong answers of a minibatch."""
        loss, wrong = answer(minibatch)
        update(self.net, self.optimiser, loss, self.recipe)
        self.sums += torch.stack([loss.detach().double() * len(minibatch.labels), wrong.double()])

    def _dropout_seed(self, place: Place) -> int:
        own = (self.part.rank,) if self.part.rank else ()  # the first part draws what one process alone would
        return derive_seed("dropout", *place, *own)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
