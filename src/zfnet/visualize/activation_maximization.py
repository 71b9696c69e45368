"""Activation maximisation with image priors (Yosinski et al. 2015): the preferred image of a unit.

Gradient ascent from noise around the mean image, regularised after every step in the order of the authors' toolbox:
decay, blur, then pixels with a small norm or a small contribution are set to 0. `PUBLISHED` has the four rows of their
table. A unit of a convolutional layer is taken at the centre of its map, as in the toolbox, and every unit before its
ReLU: most units are silent at the start, where the gradient after the ReLU is zero.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from zfnet.core.suggest import require_known
from zfnet.nets import Network
from zfnet.visualize.backward import RULES, backproject, forward_trace, select_unit
from zfnet.visualize.net_inputs import mean_crop


class AscentSettings(NamedTuple):
    """Step size, number of steps and image priors of a gradient ascent."""

    decay: float  # fraction of the image lost in a step
    blur: float  # standard deviation of the Gaussian, pixels; 0: none
    blur_every: int  # steps between two blurs
    norm_percentile: float  # pixels whose RGB norm is below this percentile become 0
    contribution_percentile: float  # pixels whose |sum of x * gradient| is below this percentile become 0
    steps: int
    learning_rate: float  # step size; with `progress` its upper limit
    progress: float | None = None  # increase of the activation per step: step size = progress / |gradient|^2


PUBLISHED = {  # the rows of the authors' table, named after their strongest prior
    "norm": AscentSettings(0, 0.5, 4, 50, 0, 500, 100, progress=2.0),
    "decay": AscentSettings(0.3, 0, 0, 20, 0, 750, 100),
    "blur": AscentSettings(1e-4, 1.0, 4, 0, 0, 1000, 100),  # that of most of the authors' figures
    "contribution": AscentSettings(0, 0.5, 4, 0, 90, 1000, 1e8, progress=2.0),
}
SETTINGS = tuple(PUBLISHED.values())  # in the order of the authors' table
NOISE = 10  # standard deviation of the initial noise, grey levels


class AscentResult(NamedTuple):
    """The image with the largest activation of an ascent."""

    activation: float
    image: Tensor  # uint8 (crop, crop, 3)
    step: int


def maximize(
    net: Network,
    layer: str,
    unit: int,
    settings: AscentSettings | str = "blur",
    seed: int = 0,
    watch: Callable[[range], Iterable[int]] = iter,
) -> AscentResult:
    """Search by gradient ascent for an image that maximises the activation of one unit.

    Parameters
    ----------
    layer, unit : a name in `net.layers`, and a map of it (taken at its centre) or a unit.
    settings : a name in `PUBLISHED`, or settings of your own.
    seed : seed of the initial noise.
    watch : passes on the steps, to report progress.

    Returns
    -------
    AscentResult
        The best image of all steps, not the last.

    Raises
    ------
    ZfnetError
        There is no such layer, unit or setting.
    """
    settings = find_settings(settings)
    mean = mean_crop(net).permute(2, 0, 1)[None]  # (1, 3, crop, crop)
    generator = torch.Generator().manual_seed(seed)
    x = (torch.randn(mean.shape, generator=generator) * NOISE).to(mean)
    position = central_position(net, layer, x)
    best = AscentResult(-torch.inf, torch.empty(0), 0)
    for step in watch(range(settings.steps)):
        x = (x + mean).clamp(0, 255) - mean
        activation, gradient = preactivation_gradient(net, x, layer, unit, position)
        if activation.item() > best.activation:
            best = AscentResult(activation.item(), (x + mean)[0].permute(1, 2, 0).round().byte().cpu(), step)
        if not gradient.any():
            break  # a stationary point
        x = regularise(x + _step_size(settings, gradient) * gradient, gradient, settings, step)
    return best


@torch.no_grad()
def preactivation_gradient(
    net: Network, x: Tensor, layer: str, unit: int, position: tuple[int, int] | None
) -> tuple[Tensor, Tensor]:
    """Return the value of a unit before its ReLU, (1,), and its gradient with respect to the pixels, (1, 3, H, W)."""
    records = forward_trace(net, x, layer)
    last = records[-1].operation
    records = records[: last.sources[0] + 1] if last.kind in ("relu", "rectifier") else records
    value, signal = select_unit(records[-1].output, unit, position, value=1.0)
    return value, backproject(records, signal, RULES["gradient"])


def find_settings(settings: AscentSettings | str) -> AscentSettings:
    """Return the settings of this name; `AscentSettings` are returned as they are."""
    if isinstance(settings, str):
        require_known(settings, list(PUBLISHED), "setting")
        return PUBLISHED[settings]
    return settings


def regularise(x: Tensor, gradient: Tensor, settings: AscentSettings, step: int) -> Tensor:
    """Apply the image priors to float (1, 3, H, W) after a step."""
    x = x * (1 - settings.decay)
    if settings.blur and step % settings.blur_every == 0:
        x = torch.from_numpy(gaussian_filter(x.cpu().numpy(), (0, 0, settings.blur, settings.blur))).to(x)
    x = _zero_smallest(x, x.norm(dim=1, keepdim=True), settings.norm_percentile)
    return _zero_smallest(x, (x * gradient).sum(1, keepdim=True).abs(), settings.contribution_percentile)


def _zero_smallest(x: Tensor, measure: Tensor, percentile: float) -> Tensor:
    """Set the pixels to 0 whose measure (1, 1, H, W) is below the percentile."""
    return x if percentile == 0 else x * (measure >= measure.flatten().quantile(percentile / 100))


def _step_size(settings: AscentSettings, gradient: Tensor) -> float:
    """To first order a step of size s along the gradient g raises the activation by s |g|^2."""
    if settings.progress is None:
        return settings.learning_rate
    return min(settings.learning_rate, settings.progress / gradient.square().sum().item())


@torch.no_grad()
def central_position(net: Network, layer: str, x: Tensor) -> tuple[int, int] | None:
    """Return the centre of a layer's maps; None for a fully connected layer."""
    *_, last = net.iter_forward(x, layer)
    return tuple(side // 2 for side in last.output.shape[2:]) or None
