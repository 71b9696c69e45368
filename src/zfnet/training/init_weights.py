"""Initial weights and biases (ZF section 3, Krizhevsky section 5).

Weights are drawn from N(0, 0.01²), reading "initialised to 10⁻²" as a standard deviation (D6). The biases
of layers 2, 4, 5, 6, 7 start at the recipe's value, all others at 0 (D7). In a net of reduced width or crop the
standard deviation is multiplied by sqrt(fan-in at full size / actual fan-in), which preserves the gain of the signal
from layer to layer; at full size it is the published value (D33).
"""

from math import sqrt

import torch

from zfnet.core.seeds import generator
from zfnet.nets import Network
from zfnet.settings import Recipe

RAISED = ("conv2", "conv4", "conv5", "fc6", "fc7")  # layers whose biases start at 1 in Krizhevsky's net


@torch.no_grad()
def initialise(net: Network, recipe: Recipe, seed: int) -> None:
    """Initialise all weights and biases of `net`.

    Every parameter has a generator of its own, seeded by `seed` and its name: variants of a net start from the same
    values, up to their gain, wherever their shapes agree.
    """
    gains = initial_gains(net) if recipe.scale_init_std else {}
    for name, parameter in net.named_parameters():
        layer, kind = name.rsplit(".", 1)
        if kind == "bias":
            parameter.fill_(recipe.init_bias if layer in RAISED else 0.0)
        else:
            parameter.copy_(torch.randn(parameter.shape, generator=generator("weights", seed, name)))
            parameter.mul_(recipe.init_std * gains.get(layer, 1.0))


def initial_gains(net: Network) -> dict[str, float]:
    """Return the multiplier of the published standard deviation for each learned layer; 1 in a net of full size."""
    actual = net.architecture.fan_ins()
    published = net.architecture.full_size().fan_ins()
    return {layer: sqrt(published[layer] / actual[layer]) for layer in actual}
