"""A net in training: its weights, optimizer and running sums, and how a minibatch reaches `train_step`.

The trainer passes uint8 squares as they are stored in the shards. Loss and errors are summed on the device, so no step
waits for the previous one; the trainer reads the sums when it needs them.

In data-parallel training each process has a Learner of its own `Rank` and passes it its rows of the global minibatch.
Views are drawn for the whole minibatch and then sliced, so an image's crop does not depend on the number of processes;
dropout masks do. `module` must average the gradients, as DistributedDataParallel does.
"""

import torch
from torch import Tensor, nn

from zfnet.core.device import full_precision
from zfnet.core.seeds import derive_seed
from zfnet.nets import Network
from zfnet.settings import Compile, Recipe
from zfnet.training.compiled import CompiledStep, Execution, Step, compile_step, should_compile
from zfnet.training.distributed import SINGLE_PROCESS, Rank
from zfnet.training.optim import assign_lr, change_lr, load_momentum_buffers, make_optimizer, momentum_buffers
from zfnet.training.train_step import ForwardLoss, forward_loss, train_step
from zfnet.training.uploads import Uploads
from zfnet.training.views import Minibatch, draw_views

Place = tuple[int, int, int]  # (seed, epoch, step)


class Learner:
    """A net in training.

    Parameters
    ----------
    net : on the device to train on.
    learning_rate : of the weights.
    covariance : float32 (3, 3) of the training set's RGB values, for PCA colour noise.
    rank : this process among those that share each minibatch.
    module : called in place of `net`, averages gradients over processes (DistributedDataParallel of `net`); None calls
        `net` itself.
    compile : whether to compile the step (see `zfnet.training.compiled`); distributed training never compiles.

    Attributes
    ----------
    sums : float64 (2,), on the device: loss (nats) and errors, summed over this process's images since `reset_sums`.
    """

    def __init__(
        self,
        net: Network,
        recipe: Recipe,
        learning_rate: float,
        covariance: Tensor,
        rank: Rank = SINGLE_PROCESS,
        module: nn.Module | None = None,
        compile: Compile = "eager",
    ) -> None:
        self.net, self.recipe, self.covariance, self.rank = net, recipe, covariance.cpu(), rank
        self.device = net.mean.device
        if recipe.precision == "fp32":
            full_precision()
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # all minibatches have one shape
        self.compiling = should_compile(compile, recipe, self.device) and not rank.is_distributed
        self.optimizer = make_optimizer(net, recipe, learning_rate, lr_on_device=self.compiling)
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        self.uploads = Uploads(self.device)
        self._update = _Update(net, net if module is None else module, recipe, self.optimizer, self.sums)
        self._compiled: tuple[torch.Size, CompiledStep] | None = None  # shape of its minibatches, step

    def train_step(self, images: Tensor, labels: Tensor, place: Place, epochs_done: float) -> None:
        """Train on this process's rows of a minibatch, without waiting for the step to finish on the device.

        Parameters
        ----------
        images : uint8 (B, S, S, 3), on any device; may be overwritten afterwards.
        labels : int64 (B,), on any device; may be overwritten afterwards.
        place : seeds crops, flips, colours and dropout.
        epochs_done : fraction of the training that is over, 0..1.
        """
        views = draw_views(images, labels, self.net, self.recipe, self.covariance, place, epochs_done, self.rank)
        minibatch = self.uploads(views)
        step = self._compiled_step(minibatch) if self.compiling else self._update.eager
        torch.manual_seed(self._dropout_seed(place))
        step(minibatch)
        self.uploads.wait()

    @property
    def execution(self) -> Execution:
        """How the last step was executed."""
        return self._compiled[1].execution if self._compiled else "eager"

    def set_lr(self, learning_rate: float) -> None:
        """Change the learning rate, keeping all velocities."""
        change_lr(self.optimizer, learning_rate)

    def reset_sums(self) -> None:
        """Set the sums of loss and errors to zero."""
        self.sums.zero_()

    def state(self) -> dict[str, Tensor]:
        """Return weights and momentum buffers, not copied, as `net.NAME` and `momentum.NAME`."""
        buffers = momentum_buffers(self.optimizer, self.net)
        tensors = {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}
        return tensors | {f"momentum.{name}": buffer for name, buffer in buffers.items()}

    def load_state(self, tensors: dict[str, Tensor], learning_rate: float) -> None:
        """Restore what `state` returned when the learning rate was `learning_rate`."""
        self.net.load_state_dict(_strip_prefix("net.", tensors))
        load_momentum_buffers(self.optimizer, self.net, _strip_prefix("momentum.", tensors))
        assign_lr(self.optimizer, learning_rate)

    def _compiled_step(self, minibatch: Minibatch) -> Step:
        """Return the compiled step for minibatches shaped like the first one, and the eager step for others."""
        if self._compiled is None:
            state = [*self.net.parameters(), *momentum_buffers(self.optimizer, self.net).values(), self.sums]
            step = compile_step(self._update.step, self._update.forward_loss, minibatch, state)
            self._compiled = minibatch.images.shape, step
        shape, step = self._compiled
        return step.run if minibatch.images.shape == shape else self._update.eager

    def _dropout_seed(self, place: Place) -> int:
        own = (self.rank.rank,) if self.rank.rank else ()  # rank 0 draws the masks of a single process
        return derive_seed("dropout", *place, *own)


class _Update:
    """What one step does.

    A compiled step refers to it, and it refers to nothing that owns a compiled step: a finished learner, with the
    memory of its CUDA graph, is freed at once and not by the next garbage collection.
    """

    def __init__(
        self, net: Network, module: nn.Module, recipe: Recipe, optimizer: torch.optim.SGD, sums: Tensor
    ) -> None:
        self.net, self.module, self.recipe, self.optimizer, self.sums = net, module, recipe, optimizer, sums

    def eager(self, minibatch: Minibatch) -> None:
        self.step(self.forward_loss, minibatch)

    def step(self, forward: ForwardLoss, minibatch: Minibatch) -> None:
        self.sums += train_step(self.net, self.optimizer, self.recipe, minibatch, forward)

    def forward_loss(self, minibatch: Minibatch) -> tuple[Tensor, Tensor]:
        return forward_loss(self.net, self.module, self.recipe.precision, minibatch)


def _strip_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
