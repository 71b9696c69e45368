"""One update: forward, cross-entropy, backward, SGD with momentum, filter renormalisation (ZF sect. 3, K sect. 5).

The update is the one Krizhevsky prints, v <- m·v - decay·rate·w - rate·gradient and w <- w + v. torch keeps
u = -v / rate instead; where the rate falls, u is rescaled so that v stays. Biases learn at twice the rate and do not
decay (D8).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfnet.core.device import autocast
from zfnet.settings import Recipe
from zfnet.training.filter_norm import conv_filters, renormalise


def optimiser(net: nn.Module, recipe: Recipe, rate: float, on_device: bool = False) -> torch.optim.SGD:
    """Give SGD for all parameters of `net`, with weights and biases in two groups.

    `on_device` keeps the learning rate beside the weights, where a captured update reads it anew each time.
    """
    named = list(net.named_parameters())
    weights = {"params": [p for name, p in named if not name.endswith("bias")], "share": 1.0}
    biases = {"params": [p for name, p in named if name.endswith("bias")], "share": recipe.bias_lr_multiplier}
    groups = [weights | {"weight_decay": recipe.weight_decay}, biases | {"weight_decay": 0.0}]
    sgd = torch.optim.SGD(groups, momentum=recipe.momentum, fused=True)
    for group in sgd.param_groups:
        group["lr"] = torch.zeros((), device=named[0][1].device) if on_device else 0.0
    for _, parameter in named:
        sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter.detach())
    restart_rate(sgd, rate)
    return sgd


def restart_rate(optimiser: torch.optim.SGD, rate: float) -> None:
    """Set the learning rate that the momenta already belong to."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group["share"])
        else:
            group["lr"] = rate * group["share"]


@torch.no_grad()
def set_rate(optimiser: torch.optim.SGD, rate: float) -> None:
    """Change the learning rate and keep all velocities v."""
    before = [float(group["lr"]) for group in optimiser.param_groups]
    restart_rate(optimiser, rate)
    for old, group in zip(before, optimiser.param_groups, strict=True):
        if old != (new := float(group["lr"])):
            for parameter in group["params"]:
                optimiser.state[parameter]["momentum_buffer"].mul_(old / new)


def momenta(optimiser: torch.optim.SGD, net: nn.Module) -> dict[str, Tensor]:
    """Give torch's momentum buffers by parameter name, for a checkpoint."""
    return {name: optimiser.state[parameter]["momentum_buffer"] for name, parameter in net.named_parameters()}


@torch.no_grad()
def set_momenta(optimiser: torch.optim.SGD, net: nn.Module, buffers: dict[str, Tensor]) -> None:
    """Put back what `momenta` gave."""
    for name, parameter in net.named_parameters():
        optimiser.state[parameter]["momentum_buffer"].copy_(buffers[name])  # in the weights' layout, as fused SGD needs


def answer(net: nn.Module, images: Tensor, labels: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """Ask the net.

    Parameters
    ----------
    images : float32 (B, 3, crop, crop), mean-subtracted RGB.
    labels : int64 (B,).

    Returns
    -------
    loss, wrong : Tensor, Tensor
        Mean cross-entropy in nats, and number of images whose label was not the most probable.
    """
    with autocast(images.device, precision):
        logits = net(images)
    logits = logits.float()  # (B, classes)
    return F.cross_entropy(logits, labels), (logits.detach().argmax(1) != labels).sum()


def update(net: nn.Module, optimiser: torch.optim.SGD, loss: Tensor, recipe: Recipe) -> None:
    """Change the weights of `net` so that the loss of a minibatch falls."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    if recipe.max_filter_rms is not None:
        renormalise(conv_filters(net), recipe.max_filter_rms)
