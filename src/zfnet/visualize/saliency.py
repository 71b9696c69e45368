"""Class saliency and class models (Simonyan, Vedaldi & Zisserman 2013): what a score hangs on.

The saliency of a pixel is the largest absolute derivative over the colours, max over c of |dS/dI_c|, of the
unnormalised class score S (before the softmax: its derivative does not rise by lowering other classes). A class model
is the picture I that maximises S(I) - penalty * |I|^2, climbed to from the zero image; the mean image is then added.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.nets import Network
from zfnet.visualize.activation_maximization import middle, slope
from zfnet.visualize.backward import RULES, descend, record, single_out
from zfnet.visualize.net_inputs import mean_crop

SPREAD = 25.0  # grey levels: root mean square of the picture at which the first gradient and the penalty balance
SHARE = 0.05  # of the way to that balance, in a step


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


class ClassModel(NamedTuple):
    """The picture that a unit likes best under a penalty on its square."""

    activation: float
    objective: float  # activation - penalty * |I|^2
    offset: Tensor  # float32 (3, crop, crop), grey levels around the mean: I
    picture: Tensor  # uint8 (crop, crop, 3), the mean image added


def class_model(
    net: Network, unit: int, layer: str | None = None, penalty: float | None = None, steps: int = 200
) -> ClassModel:
    """Climb from the zero image towards the maximum of activation - penalty * |I|^2.

    Each step goes `SHARE` of the way from I to gradient / (2 penalty), where both forces balance. The authors give
    neither their step nor their penalty. As in `maximise`, the unit counts before its ReLU, a map in its middle.

    Parameters
    ----------
    unit : a class, or a unit of `layer`.
    layer : a name of `net.layers`; None: the last, the scores before the softmax.
    penalty : score per squared grey level, > 0; None: such that the first step heads for a picture whose root mean
        square is `SPREAD` grey levels.

    Raises
    ------
    ZfnetError
        There is no such layer or unit, the unit does not change with the zero image at all, or the penalty is not
        positive.
    """
    if penalty is not None and not penalty > 0:
        raise ZfnetError(f"A penalty of {penalty} leaves the class model without bounds; give one above 0, or none.")
    layer = layer or max(net.layers, key=net.layers.__getitem__)
    mean = mean_crop(net).permute(2, 0, 1)[None]  # (1, 3, crop, crop)
    image = torch.zeros_like(mean)
    place = middle(net, layer, image)
    gradient = slope(net, image, layer, unit, place)[1]
    if not gradient.any():
        raise ZfnetError(f"{layer}, unit {unit}: its derivative is 0 at the zero image, so there is nowhere to climb.")
    penalty = gradient.square().mean().sqrt().item() / (2 * SPREAD) if penalty is None else penalty
    for _ in range(steps):
        image = image + SHARE * (gradient / (2 * penalty) - image)
        activation, gradient = slope(net, image, layer, unit, place)
    objective = activation.item() - penalty * image.square().sum().item()
    picture = (image + mean).clamp(0, 255)[0].permute(1, 2, 0).round().byte().cpu()
    return ClassModel(activation.item(), objective, image[0].cpu(), picture)
