"""Image-specific class saliency (Simonyan, Vedaldi & Zisserman 2013; PAPER.md 5.5): where a score hangs on the pixels.

The map is the largest absolute derivative over the colours, max over c of |dS/dI_c|, of the unnormalised class score S
(before the softmax: its derivative does not rise by lowering other classes).
"""

import torch
from torch import Tensor

from zfnet.nets import Network
from zfnet.visualize.backward import RULES, descend, record, single_out


def saliency_map(net: Network, images: Tensor, classes: int | Tensor, layer: str | None = None) -> Tensor:
    """Compute the saliency of every pixel.

    Parameters
    ----------
    images : float (B, 3, H, W), mean-subtracted, RGB 0..255.
    classes : class, or unit of `layer`, for all images or one each.
    layer : a name of `net.layers`; None: the last, the logits.

    Returns
    -------
    Tensor
        float (B, H, W), score per grey level, never negative.
    """
    return derivative_of(net, images, layer or max(net.layers, key=net.layers.__getitem__), classes)[1].abs().amax(1)


@torch.no_grad()
def derivative_of(
    net: Network, images: Tensor, layer: str, unit: int | Tensor, position: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Activation of a unit, (B,), and its derivative by the pixels, (B, 3, H, W)."""
    steps = record(net, images, layer)
    activation, start = single_out(steps[-1].output, unit, position, value=1.0)
    return activation, descend(steps, start, RULES["gradient"])
