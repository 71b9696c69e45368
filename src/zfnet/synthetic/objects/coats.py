"""Colours and markings: what one animal's coat or one vehicle's paint looks like."""

from random import Random
from typing import NamedTuple

import numpy as np

from zfnet.synthetic.canvas import Colour, Pen, ellipse, jitter, mix, smooth

FURS: dict[str, Colour] = {
    "black": (58, 54, 56),
    "grey": (132, 132, 136),
    "white": (228, 224, 216),
    "tawny": (188, 142, 92),
    "rust": (172, 90, 48),
    "chocolate": (104, 70, 46),
    "golden": (218, 174, 92),
}
PAINTS: dict[str, Colour] = {
    "red": (190, 48, 44),
    "blue": (56, 96, 176),
    "green": (72, 136, 74),
    "yellow": (228, 196, 66),
    "orange": (224, 128, 52),
    "teal": (48, 140, 142),
    "violet": (126, 82, 156),
    "pink": (224, 144, 164),
    "silver": (180, 186, 192),
}
MARKINGS = ("plain", "spotted", "striped", "patched", "banded")
DARK, PALE = (34, 30, 32), (244, 240, 232)


class Coat(NamedTuple):
    """Colours of one individual."""

    base: Colour
    dark: Colour
    pale: Colour
    second: Colour  # of the markings


def coat(colour: str, rng: Random) -> Coat:
    """Return an individual's colours: the named one, jittered; "fur", "paint" and "any" draw one at random."""
    table = PAINTS if colour == "paint" else FURS if colour == "fur" else FURS | PAINTS
    named = table[colour] if colour in table else rng.choice(list(table.values()))
    base = jitter(named, 20, rng)
    bright = sum(base) / 3 > 118
    second = mix(base, DARK, 0.72) if bright else mix(base, PALE, 0.75)
    return Coat(base, mix(base, DARK, 0.45), mix(base, PALE, 0.6), second)


def mark(pen: Pen, marking: str, colour: Colour, size: float = 1.0) -> None:
    """Apply a marking to everything drawn so far, within about -1..1 of the pen's coordinates."""
    shapes = _MARKS[marking](pen.rng, size)
    if shapes:
        pen.mark(shapes, colour)


def _plain(rng: Random, size: float) -> list[np.ndarray]:
    return []


def _spotted(rng: Random, size: float) -> list[np.ndarray]:
    """Return spots on an irregular grid, so that they neither touch nor leave large gaps."""
    step = 0.34 * size
    return [
        ellipse(x + rng.uniform(-0.1, 0.1) * size, y + rng.uniform(-0.1, 0.1) * size, step * 0.3, step * 0.27)
        for x in np.arange(-1.3, 1.3, step)
        for y in np.arange(-1.3, 1.3, step)
    ]


def _wave(x: float, width: float, rng: Random) -> np.ndarray:
    """Return an upright, irregular stripe around x."""
    heights = np.linspace(-1.4, 1.4, 7)
    left = [(x - width * rng.uniform(0.3, 0.7) + 0.05 * rng.uniform(-1, 1), y) for y in heights]
    right = [(x + width * rng.uniform(0.3, 0.7), y) for y in heights[::-1]]
    return smooth(left + right)


def _striped(rng: Random, size: float) -> list[np.ndarray]:
    return [_wave(x, 0.13 * size, rng) for x in np.arange(-1.3 + rng.uniform(0, 0.2), 1.4, 0.27 * size)]


def _banded(rng: Random, size: float) -> list[np.ndarray]:
    """Return broad horizontal bands."""
    return [_wave(x, 0.26 * size, rng)[:, ::-1] for x in np.arange(-1.2 + rng.uniform(0, 0.3), 1.4, 0.6 * size)]


def _patched(rng: Random, size: float) -> list[np.ndarray]:
    """Return a few large patches."""
    shapes = []
    for _ in range(5):
        x, y, reach = rng.uniform(-0.9, 0.9), rng.uniform(-0.9, 0.9), rng.uniform(0.22, 0.42) * size
        corners = ellipse(0, 0, reach, reach)[::4]
        shapes.append(smooth([(x + u * rng.uniform(0.6, 1.3), y + v * rng.uniform(0.6, 1.3)) for u, v in corners]))
    return shapes


_MARKS = {
    "plain": _plain,
    "spotted": _spotted,
    "striped": _striped,
    "patched": _patched,
    "banded": _banded,
}
