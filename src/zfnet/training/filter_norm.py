"""Filter renormalisation (ZF section 3): a conv filter whose RMS exceeds 0.1 is scaled back to it.

Without it a few first-layer filters dominate (ZF Figure 6a). It is applied after each update, to the weights of
convolutional layers only, never to biases (D12).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def conv_filters(net: nn.Module) -> list[Tensor]:
    """List the weights (out, in, k, k) of all convolutions."""
    return [module.weight for module in net.modules() if isinstance(module, nn.Conv2d)]


@torch.no_grad()
def renormalise(filters: Iterable[Tensor], limit: float) -> None:
    """Scale, in place, every filter of RMS above `limit` back to `limit`.

    `filters` holds weights (out, in, k, k). Nothing depends on data, so a GPU need not wait for the outcome.
    """
    for weight in filters:
        weight.mul_((limit / filter_rms(weight)).clamp(max=1))


def filter_rms(weight: Tensor) -> Tensor:
    """Give the RMS of every filter over its k·k·in values: (out, in, k, k) -> (out, 1, 1, 1)."""
    return weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
