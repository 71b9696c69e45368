"""Class saliency and class models (Simonyan, Vedaldi & Zisserman 2013).

The saliency of a pixel is the largest absolute derivative over the colours, max over c of |dS/dI_c|, of the
unnormalised class score S. The softmax is left out, since it can also rise by lowering the other classes. A class model
is the image I that maximises S(I) - penalty * |I|^2, found by gradient ascent from the zero image; the mean image is
then added.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.nets import Network
from zfnet.visualize.activation_maximization import central_position, preactivation_gradient
from zfnet.visualize.backward import RULES, backproject, forward_trace, select_unit
from zfnet.visualize.net_inputs import mean_crop

SPREAD = 25.0  # grey levels: root mean square of the image at which the first gradient and the penalty balance
STEP = 0.05  # fraction of the way to that balance covered by one step


def saliency_map(net: Network, images: Tensor, classes: int | Tensor, layer: str | None = None) -> Tensor:
    """Compute the saliency of every pixel.

    Parameters
    ----------
    images : float (B, 3, H, W), mean-subtracted, RGB 0..255.
    classes : class, or unit of `layer`: one for all images, or one for each.
    layer : a name in `net.layers`; None: the last, the logits.

    Returns
    -------
    Tensor
        float (B, H, W), score per grey level, never negative.
    """
    return unit_gradient(net, images, layer or max(net.layers, key=net.layers.__getitem__), classes)[1].abs().amax(1)


@torch.no_grad()
def unit_gradient(
    net: Network, images: Tensor, layer: str, unit: int | Tensor, position: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Return the activation of a unit, (B,), and its gradient with respect to the pixels, (B, 3, H, W)."""
    records = forward_trace(net, images, layer)
    activation, signal = select_unit(records[-1].output, unit, position, value=1.0)
    return activation, backproject(records, signal, RULES["gradient"])


class ClassModel(NamedTuple):
    """The image that maximises a unit under a penalty on its square."""

    activation: float
    objective: float  # activation - penalty * |I|^2
    offset: Tensor  # float32 (3, crop, crop), grey levels around the mean: I
    image: Tensor  # uint8 (crop, crop, 3), the mean image added


def class_model(
    net: Network,
    unit: int,
    layer: str | None = None,
    penalty: float | None = None,
    steps: int = 200,
    watch: Callable[[range], Iterable[int]] = iter,
) -> ClassModel:
    """Maximise activation - penalty * |I|^2 by gradient ascent from the zero image.

    With the gradient g the objective is stationary at I = g / (2 penalty); each step moves I a fraction `STEP` of the
    way there. The authors publish neither their step size nor their penalty. As in `maximize`, the unit is taken before
    its ReLU, and a map at its centre.

    Parameters
    ----------
    unit : a class, or a unit of `layer`.
    layer : a name in `net.layers`; None: the last, the scores before the softmax.
    penalty : score per squared grey level, > 0; None: such that the first step aims at an image whose root mean square
        is `SPREAD` grey levels.
    watch : passes on the steps, to report progress.

    Raises
    ------
    ZfnetError
        There is no such layer or unit, the gradient is zero at the zero image, or the penalty is not positive.
    """
    if penalty is not None and not penalty > 0:
        raise ZfnetError(f"With a penalty of {penalty} the class model is unbounded; give one above 0, or none.")
    layer = layer or max(net.layers, key=net.layers.__getitem__)
    mean = mean_crop(net).permute(2, 0, 1)[None]  # (1, 3, crop, crop)
    image = torch.zeros_like(mean)
    position = central_position(net, layer, image)
    gradient = preactivation_gradient(net, image, layer, unit, position)[1]
    if not gradient.any():
        raise ZfnetError(
            f"{layer}, unit {unit}: the gradient is zero at the zero image, so there is no class model; choose another "
            "unit."
        )
    # |g / (2 penalty)| has root mean square SPREAD.
    penalty = gradient.square().mean().sqrt().item() / (2 * SPREAD) if penalty is None else penalty
    for _ in watch(range(steps)):
        image = image + STEP * (gradient / (2 * penalty) - image)
        activation, gradient = preactivation_gradient(net, image, layer, unit, position)
    objective = activation.item() - penalty * image.square().sum().item()
    pixels = (image + mean).clamp(0, 255)[0].permute(1, 2, 0).round().byte().cpu()  # (crop, crop, 3)
    return ClassModel(activation.item(), objective, image[0].cpu(), pixels)
