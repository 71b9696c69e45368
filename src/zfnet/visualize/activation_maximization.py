"""Activation maximisation with image priors (Yosinski et al. 2015): the picture a unit likes best.

Gradient ascent from noise around the mean image, regularised after every step in the order of the authors' toolbox:
decay, blur, then pixels of small norm and of small contribution are set to 0. `SETTINGS` are its four published rows,
`NAMED` the same by name. A unit of a convolutional layer is taken in the middle of its map, as in the toolbox, and
every unit before its ReLU: most units are silent at the start, and a silent rectified unit has no slope.
"""

from typing import NamedTuple

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from zfnet.core.suggest import require_known
from zfnet.nets import Network
from zfnet.visualize.backward import RULES, descend, record, single_out
from zfnet.visualize.net_inputs import mean_crop


class Ascent(NamedTuple):
    """How to climb, and what keeps the picture natural."""

    decay: float  # share of the picture lost in a step
    blur: float  # radius (standard deviation) of the Gaussian, pixels; 0: none
    blur_every: int  # steps between two blurs
    norm_percentile: float  # pixels whose RGB norm is below this percentile become 0
    contribution_percentile: float  # pixels whose |sum of x * gradient| is below this percentile become 0
    steps: int
    rate: float  # step length; with `progress` its upper limit
    progress: float | None = None  # rise of the activation aimed at: rate = progress / |gradient|^2


NAMED = {  # by what is strongest in them
    "norm": Ascent(0, 0.5, 4, 50, 0, 500, 100, progress=2.0),
    "decay": Ascent(0.3, 0, 0, 20, 0, 750, 100),
    "blur": Ascent(1e-4, 1.0, 4, 0, 0, 1000, 100),  # the one of most of the authors' figures
    "contribution": Ascent(0, 0.5, 4, 0, 90, 1000, 1e8, progress=2.0),
}
SETTINGS = tuple(NAMED.values())  # in the order of the authors' table
NOISE = 10  # standard deviation of the start, grey levels


class Best(NamedTuple):
    """The best picture met on the way."""

    activation: float
    picture: Tensor  # uint8 (crop, crop, 3)
    step: int


def maximise(net: Network, layer: str, unit: int, settings: Ascent | str = "blur", seed: int = 0) -> Best:
    """Climb towards a picture that makes one unit as active as possible, and keep the best picture on the way.

    Parameters
    ----------
    layer, unit : a name of `net.layers`, and a map of it (taken in its middle) or a unit.
    settings : a name of `NAMED`, or an `Ascent` of your own.
    seed : of the noise that it starts from.

    Raises
    ------
    ZfnetError
        There is no such layer, unit or setting.
    """
    settings = find_settings(settings)
    mean = mean_crop(net).permute(2, 0, 1)[None]  # (1, 3, crop, crop)
    draw = torch.Generator().manual_seed(seed)
    x = (torch.randn(mean.shape, generator=draw) * NOISE).to(mean)
    place = middle(net, layer, x)
    best = Best(-torch.inf, torch.empty(0), 0)
    for step in range(settings.steps):
        x = (x + mean).clamp(0, 255) - mean
        activation, gradient = slope(net, x, layer, unit, place)
        if activation.item() > best.activation:
            best = Best(activation.item(), (x + mean)[0].permute(1, 2, 0).round().byte().cpu(), step)
        if not gradient.any():
            break  # nowhere to climb
        x = regularise(x + _rate(settings, gradient) * gradient, gradient, settings, step)
    return best


@torch.no_grad()
def slope(net: Network, x: Tensor, layer: str, unit: int, position: tuple[int, int] | None) -> tuple[Tensor, Tensor]:
    """Value of a unit before its ReLU, (1,), and its derivative by the pixels, (1, 3, H, W)."""
    steps = record(net, x, layer)
    steps = steps[:-1] if steps[-1].operation.kind == "relu" else steps
    value, start = single_out(steps[-1].output, unit, position, value=1.0)
    return value, descend(steps, start, RULES["gradient"])


def find_settings(settings: Ascent | str) -> Ascent:
    """Look settings up by name."""
    if isinstance(settings, str):
        require_known(settings, list(NAMED), "setting")
        return NAMED[settings]
    return settings


def regularise(x: Tensor, gradient: Tensor, settings: Ascent, step: int) -> Tensor:
    """Pull a picture, float (1, 3, H, W), towards natural ones after a step."""
    x = x * (1 - settings.decay)
    if settings.blur and step % settings.blur_every == 0:
        x = torch.from_numpy(gaussian_filter(x.cpu().numpy(), (0, 0, settings.blur, settings.blur))).to(x)
    x = _without_smallest(x, x.norm(dim=1, keepdim=True), settings.norm_percentile)
    return _without_smallest(x, (x * gradient).sum(1, keepdim=True).abs(), settings.contribution_percentile)


def _without_smallest(x: Tensor, measure: Tensor, percentile: float) -> Tensor:
    """Set the pixels to 0 whose measure (1, 1, H, W) is below the percentile."""
    return x if percentile == 0 else x * (measure >= measure.flatten().quantile(percentile / 100))


def _rate(settings: Ascent, gradient: Tensor) -> float:
    if settings.progress is None:
        return settings.rate
    return min(settings.rate, settings.progress / gradient.square().sum().item())


@torch.no_grad()
def middle(net: Network, layer: str, x: Tensor) -> tuple[int, int] | None:
    """Middle of a layer's maps; None for a fully connected layer."""
    *_, last = net.walk(x, layer)
    return tuple(side // 2 for side in last.output.shape[2:]) or None
