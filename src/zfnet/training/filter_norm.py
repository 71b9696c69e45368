"""RMS limit on convolution filters (ZF section 3): a filter whose RMS exceeds 0.1 is rescaled to 0.1.

Without it a few first-layer filters dominate (ZF Figure 6a). It is applied after each update, to the weights of
convolutional layers only, never to biases (D12).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def conv_filters(net: nn.Module) -> list[Tensor]:
    """Return the weights (out, in, k, k) of all convolutions."""
    return [module.weight for module in net.modules() if isinstance(module, nn.Conv2d)]


@torch.no_grad()
def rescale_filters(filters: Iterable[Tensor], max_rms: float) -> None:
    """Rescale, in place, every filter whose RMS exceeds `max_rms` to exactly that RMS.

    `filters` holds weights (out, in, k, k). There is no branch on the data, so a GPU never synchronises here.
    """
    for weight in filters:
        weight.mul_((max_rms / filter_rms(weight)).clamp(max=1))


def filter_rms(weight: Tensor) -> Tensor:
    """Return the RMS of every filter over its k * k * in values: (out, in, k, k) -> (out, 1, 1, 1)."""
    return weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
