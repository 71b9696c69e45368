"""SGD with momentum as in Krizhevsky et al., section 5.

Krizhevsky's update is v <- m v - weight_decay * lr * w - lr * gradient and w <- w + v. torch stores
u = -v / lr instead, and updates w <- w - lr * u. When lr changes, u is therefore rescaled by old lr / new lr, so that
the velocity v stays as it is. Biases learn at twice the rate of the weights and do not decay (D8).
"""

import torch
from torch import Tensor, nn

from zfnet.settings import Recipe


def make_optimizer(net: nn.Module, recipe: Recipe, learning_rate: float, lr_on_device: bool = False) -> torch.optim.SGD:
    """Return SGD over all parameters of `net`, with weights and biases in two groups.

    With `lr_on_device` the learning rate is a tensor beside the weights, so that a CUDA graph reads the current value
    at each replay; a Python float would be frozen at its value during capture.
    """
    named = list(net.named_parameters())
    weights = {"params": [p for name, p in named if not name.endswith("bias")], "lr_multiplier": 1.0}
    biases = {"params": [p for name, p in named if name.endswith("bias")], "lr_multiplier": recipe.bias_lr_multiplier}
    groups = [weights | {"weight_decay": recipe.weight_decay}, biases | {"weight_decay": 0.0}]
    sgd = torch.optim.SGD(groups, momentum=recipe.momentum, fused=True)
    for group in sgd.param_groups:
        group["lr"] = torch.zeros((), device=named[0][1].device) if lr_on_device else 0.0
    for _, parameter in named:  # torch would create them at the first step: too late for a checkpoint or a CUDA graph
        sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter.detach())
    assign_lr(sgd, learning_rate)
    return sgd


def assign_lr(optimizer: torch.optim.SGD, learning_rate: float) -> None:
    """Set the learning rate without touching the momentum buffers, which must already belong to it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(learning_rate * group["lr_multiplier"])
        else:
            group["lr"] = learning_rate * group["lr_multiplier"]


@torch.no_grad()
def change_lr(optimizer: torch.optim.SGD, learning_rate: float) -> None:
    """Change the learning rate and rescale the momentum buffers, so that all velocities v stay the same."""
    old_lrs = [float(group["lr"]) for group in optimizer.param_groups]
    assign_lr(optimizer, learning_rate)
    for old_lr, group in zip(old_lrs, optimizer.param_groups, strict=True):
        if old_lr != (new_lr := float(group["lr"])):
            for parameter in group["params"]:
                optimizer.state[parameter]["momentum_buffer"].mul_(old_lr / new_lr)  # u = -v / lr


def momentum_buffers(optimizer: torch.optim.SGD, net: nn.Module) -> dict[str, Tensor]:
    """Return torch's momentum buffers by parameter name, for a checkpoint."""
    return {name: optimizer.state[parameter]["momentum_buffer"] for name, parameter in net.named_parameters()}


@torch.no_grad()
def load_momentum_buffers(optimizer: torch.optim.SGD, net: nn.Module, buffers: dict[str, Tensor]) -> None:
    """Restore what `momentum_buffers` returned."""
    for name, parameter in net.named_parameters():
        # copied in place, because fused SGD requires buffers in the memory layout of the weights (channels last)
        optimizer.state[parameter]["momentum_buffer"].copy_(buffers[name])
