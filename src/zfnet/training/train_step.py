"""One training step (ZF sect. 3, K sect. 5): crop, flip, colour; forward; loss; backward; SGD; rescale filters.

This is the whole step as it runs on one process, uncompiled. `learner.py` calls it with minibatches on the device;
`compiled.py` compiles `forward_loss` and captures the step as a CUDA graph; `distributed.py` averages gradients.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfnet.core.device import autocast
from zfnet.nets import Network
from zfnet.settings import Recipe
from zfnet.training.filter_norm import conv_filters, rescale_filters
from zfnet.training.views import Minibatch, training_views

ForwardLoss = Callable[[Minibatch], tuple[Tensor, Tensor]]  # returns mean loss and number of errors


def train_step(
    net: Network, optimizer: torch.optim.SGD, recipe: Recipe, minibatch: Minibatch, forward: ForwardLoss
) -> Tensor:
    """Update `net` once from `minibatch` and return summed loss (nats) and number of errors: float64 (2,).

    `forward` is `forward_loss` of this net, possibly compiled. Nothing here waits for the device.
    """
    loss, errors = forward(minibatch)
    optimizer_step(net, optimizer, loss, recipe)
    return torch.stack([loss.detach().double() * len(minibatch.labels), errors.double()])


def forward_loss(net: Network, module: nn.Module, precision: str, minibatch: Minibatch) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy in nats, and the number of images whose label was not the top guess.

    `module` is `net`, or a wrapper of it such as DistributedDataParallel.
    """
    views = training_views(minibatch, net)  # crop, flip, subtract the mean, add colour: (B, 3, crop, crop)
    with autocast(views.device, precision):
        logits = module(views)  # (B, classes)
    logits = logits.float()
    errors = (logits.detach().argmax(1) != minibatch.labels).sum()
    return F.cross_entropy(logits, minibatch.labels), errors


def optimizer_step(net: nn.Module, optimizer: torch.optim.SGD, loss: Tensor, recipe: Recipe) -> None:
    """Backpropagate `loss`, update the weights of `net`, and enforce the RMS limit on its filters."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if recipe.max_filter_rms is not None:
        rescale_filters(conv_filters(net), recipe.max_filter_rms)
