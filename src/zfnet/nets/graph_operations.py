"""The operations of foreign nets beyond those of the papers: sums, joins, products, and any other function.

Each is a module whose inputs are the outputs of earlier operations. The kinds of operation decide what the backward
pass (`zfnet.visualize.backward`) does:

- relu, rectifier (ReLU6, LeakyReLU, PReLU): the rules of the deconvnet and of guided backpropagation apply;
- batchnorm, scale, add, concatenate, multiply, function: the true derivative, which for a sum or a join is its adjoint;
- activation (GELU, SiLU, Hardswish, softmax, attention …): only rules without rectification are defined.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.fx.node import map_aggregate

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    *(nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.ELU, nn.CELU, nn.SELU, nn.Softplus, nn.Tanh, nn.Softsign),
    *(nn.Tanhshrink, nn.Softshrink, nn.Hardshrink, nn.Softmax, nn.Softmax2d, nn.LogSoftmax, nn.GLU),
    *(nn.MultiheadAttention, nn.TransformerEncoderLayer),
)
ACTIVATION_NAMES = {  # of functions and methods
    *("gelu", "silu", "mish", "hardswish", "elu", "celu", "selu", "softplus", "tanh", "softsign", "tanhshrink"),
    *("softshrink", "hardshrink", "softmax", "log_softmax", "glu", "scaled_dot_product_attention"),
    *("multi_head_attention_forward", "shifted_window_attention"),
}
RECTIFIERS: tuple[type[nn.Module], ...] = (nn.ReLU6, nn.LeakyReLU, nn.PReLU)


class Add(nn.Module):
    """The sum of two inputs: a shortcut."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Add the inputs."""
        return first + second


class Multiply(nn.Module):
    """The product of two inputs: the gate of squeeze and excitation."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Multiply the inputs."""
        return first * second


class Concatenate(nn.Module):
    """Inputs joined along one dimension: parallel branches."""

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Tensor) -> Tensor:
        """Join the inputs."""
        return torch.cat(inputs, self.dim)


class Mean(nn.Module):
    """The mean over some dimensions."""

    def __init__(self, dim: Sequence[int], keepdim: bool = False) -> None:
        super().__init__()
        self.dim, self.keepdim = tuple(dim), keepdim

    def forward(self, x: Tensor) -> Tensor:
        """Average."""
        return x.mean(self.dim, self.keepdim)


class Scale(nn.Module):
    """Channels multiplied by constants, and optionally taken in reverse order (RGB to BGR)."""

    factor: Tensor

    def __init__(self, channels: int, reverse: bool = False) -> None:
        super().__init__()
        self.channels, self.reverse = channels, reverse
        self.register_buffer("factor", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply every channel."""
        x = x * self.factor[:, None, None]
        return x.flip(1) if self.reverse else x


class Input(NamedTuple):
    """An argument of a step: one of the inputs."""

    position: int


class Constant(NamedTuple):
    """An argument of a step: a parameter or buffer of the net."""

    name: str


class Step:
    """A function, method or module with its arguments; steps whose results are no activations are arguments, too."""

    def __init__(self, target: Callable[..., Any] | str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.target, self.args, self.kwargs = target, args, kwargs


class Call(nn.Module):
    """Any other function, applied to the inputs as in the forward method of the net.

    Parameters
    ----------
    step : what is computed, from `Input`, `Constant` and plain values.
    constants : the tensors behind `Constant`, by name.
    modules : the modules called in `step`, registered so that they move with the net.
    """

    def __init__(self, step: Step, constants: dict[str, Tensor], modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.step, self.called = step, nn.ModuleList(modules)
        for name, tensor in constants.items():
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the step."""
        return self._compute(self.step, inputs)

    def _compute(self, step: Step, inputs: tuple[Tensor, ...]) -> Any:
        def value(argument: Any) -> Any:
            match argument:
                case Input():
                    return inputs[argument.position]
                case Constant():
                    return getattr(self, argument.name)
                case Step():
                    return self._compute(argument, inputs)
            return argument

        return apply(step.target, _map(step.args, value), _map(step.kwargs, value))


def apply(target: Callable[..., Any] | str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a function or module, or the method of this name of the first argument."""
    if isinstance(target, str):
        return getattr(args[0], target)(*args[1:], **kwargs)
    return target(*args, **kwargs)


def _map(arguments: Any, change: Callable[[Any], Any]) -> Any:
    """Change every argument, also inside lists, tuples, dictionaries and slices; leaves may be tuples themselves."""
    if isinstance(arguments, (Input, Constant)):
        return change(arguments)
    if isinstance(arguments, (list, tuple)):
        return type(arguments)(_map(argument, change) for argument in arguments)
    if isinstance(arguments, dict):
        return {key: _map(argument, change) for key, argument in arguments.items()}
    return map_aggregate(arguments, change)
