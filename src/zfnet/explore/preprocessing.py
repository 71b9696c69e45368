"""What a foreign net was trained on: side of the input, mean, division, order of the colours.

Everything is converted to grey levels (0..255) and the order R, G, B; `zfnet.nets.adapt` builds the rest into the net.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from zfnet.core.errors import ZfnetError

WHITE = 255.0


class GivenPixels(NamedTuple):
    """The preprocessing as a user states it; None: as of torchvision's weights."""

    mean: str | None = None  # three numbers for R, G, B, in units of `range`
    std: str | None = None
    bgr: bool = False
    range: int | None = None  # value of white: 1 or 255; None: recognised by the size of the numbers


class Preprocessing(NamedTuple):
    """The preprocessing of a net, in grey levels and the order R, G, B."""

    crop: int  # side of the input, pixels
    size: int  # the shorter side of an image before it is cropped, pixels
    mean: list[float]
    std: list[float]
    bgr: bool = False  # the net takes blue, green, red

    @classmethod
    def of_torchvision(cls, transforms: Any, crop: int = 0) -> "Preprocessing":
        """Take that of torchvision's weights, at another `crop` in proportion."""
        trained = transforms.crop_size[0]
        size = max(crop or trained, round((crop or trained) * transforms.resize_size[0] / trained))
        mean, std = ([WHITE * value for value in values] for values in (transforms.mean, transforms.std))
        return cls(crop or trained, size, mean, std)

    def changed(self, given: GivenPixels) -> "Preprocessing":
        """Replace what the user states. Without `std`, a given mean or range means: no division.

        Raises
        ------
        ZfnetError
            Numbers are missing, no numbers, or too large for the range.
        """
        mean, std = _numbers("mean", given.mean), _numbers("std", given.std)
        white = _white(given.range, mean, std)
        scale = WHITE / white
        found = self._replace(bgr=given.bgr)
        if mean:
            found = found._replace(mean=[scale * value for value in mean])
        if std or mean or given.range:
            found = found._replace(std=[scale * value for value in std or (1.0, 1.0, 1.0)])
        return found


def _numbers(name: str, text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        values = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) == 1:
        values *= 3
    if len(values) != 3 or not all(abs(value) <= WHITE for value in values):
        raise ZfnetError(f"--{name} {text}: expected three numbers for R, G, B, such as --{name} {EXAMPLES[name]}.")
    if name == "std" and min(values) <= 0:
        raise ZfnetError(f"--std {text}: images are divided by these numbers; expected numbers above 0.")
    return values


EXAMPLES = {"mean": "123.7,116.3,103.5", "std": "58.4,57.1,57.4"}


def _white(given: int | None, mean: Sequence[float] | None, std: Sequence[float] | None) -> float:
    """Return the value of white in whose units mean and std are given."""
    numbers = [abs(value) for value in (*(mean or ()), *(std or ()))]
    fractions = bool(numbers) and max(numbers) <= 1 and min(numbers) < 1 and any(numbers)
    if given is None:
        return 1.0 if fractions else WHITE
    if given not in (1, 255):
        raise ZfnetError(f"--range {given}: expected 1 (images from 0 to 1) or 255 (from 0 to 255).")
    if given == 255 and mean and any(mean) and max(map(abs, mean)) < 1:
        raise ZfnetError("--range 255: the mean is below 1, so it belongs to images from 0 to 1; give --range 1.")
    if given == 1 and numbers and max(numbers) > 1:
        raise ZfnetError("--range 1: a mean or std above 1 belongs to images from 0 to 255; give --range 255.")
    return float(given)
