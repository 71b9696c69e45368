"""Grey texture tiles (fur, grass, brick, wood, water …), computed once per process; surfaces use random pieces."""

import math
from collections.abc import Callable
from functools import cache
from random import Random

import numpy as np
from PIL import Image

SIDE = 256  # side of a tile, pixels; all tiles wrap around


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(list(name.encode()))


def _blur(tile: np.ndarray, across: float, down: float) -> np.ndarray:
    """Blur a wrapping tile with a Gaussian, then normalise it to zero mean and unit deviation."""
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    kernel = np.exp(-2 * math.pi**2 * ((rows * down) ** 2 + (columns * across) ** 2))
    return _standard(np.fft.irfft2(np.fft.rfft2(tile) * kernel, s=tile.shape))


def _standard(tile: np.ndarray) -> np.ndarray:
    return ((tile - tile.mean()) / tile.std()).clip(-2.5, 2.5)


def _noise(name: str, across: float, down: float) -> np.ndarray:
    return _blur(_random(name).standard_normal((SIDE, SIDE)), across, down)


def _plain() -> np.ndarray:
    return _noise("plain", 12, 12) * 0.4


def _fur() -> np.ndarray:
    return _standard(_noise("fur", 0.7, 3) + 0.7 * _noise("undercoat", 5, 7))


def _wool() -> np.ndarray:
    return _standard(_noise("curls", 2, 2) + 0.5 * _noise("wool", 0.8, 0.8))


def _grass() -> np.ndarray:
    return _standard(_noise("blades", 0.8, 4) + 0.8 * _noise("tufts", 9, 5))


def _leaves() -> np.ndarray:
    return _standard(np.abs(_noise("leaves", 3.5, 3.5)) - 0.6 * np.abs(_noise("twigs", 1.5, 1.5)))


def _clouds() -> np.ndarray:
    return _standard(_noise("clouds", 20, 10) + 0.5 * _noise("wisps", 9, 5) + 0.15 * _noise("edges", 3, 2))


def _water() -> np.ndarray:
    return _standard(_noise("waves", 9, 1.6) + 0.5 * _noise("ripples", 3, 0.8))


def _sand() -> np.ndarray:
    return _standard(_noise("grains", 0.6, 0.6) + _noise("dunes", 20, 8))


def _stone() -> np.ndarray:
    return _standard(_noise("stone", 4, 3) + 0.6 * _noise("pits", 1, 1) + 0.8 * _noise("stains", 16, 16))


def _wood() -> np.ndarray:
    y = np.arange(SIDE)[:, None] / SIDE
    rings = np.sin(2 * math.pi * (8 * y + 0.5 * _noise("knots", 40, 14)))
    return _standard(rings + 0.5 * _noise("fibres", 14, 0.8))


def _brick() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    row = y // 16
    column = ((x + 16 * (row % 2)) // 32) % (SIDE // 32)
    tone = _random("bricks").standard_normal((SIDE // 16, SIDE // 32))[row, column]
    joint = (y % 16 < 2) | ((x + 16 * (row % 2)) % 32 < 2)
    return _standard(np.where(joint, 2.5, 0.6 * tone) + 0.4 * _noise("clay", 1, 1))


def _cloth() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    weave = np.sin(2 * math.pi * x / 8) * np.sin(2 * math.pi * y / 8)
    return _standard(weave + _noise("folds", 16, 24))


def _feathers() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    scallop = np.hypot((x + 8 * ((y // 8) % 2)) % 16 - 8, y % 8)
    return _standard(scallop / 6 + 0.4 * _noise("down", 0.8, 2))


def _metal() -> np.ndarray:
    return 0.5 * _noise("gloss", 24, 10) + 0.15 * _noise("scratches", 6, 0.6)


_MAKERS: dict[str, Callable[[], np.ndarray]] = {
    "plain": _plain,
    "fur": _fur,
    "wool": _wool,
    "grass": _grass,
    "leaves": _leaves,
    "clouds": _clouds,
    "water": _water,
    "sand": _sand,
    "stone": _stone,
    "wood": _wood,
    "brick": _brick,
    "cloth": _cloth,
    "feathers": _feathers,
    "metal": _metal,
    "film": lambda: _noise("film", 0.5, 0.5),
}
NAMES = tuple(_MAKERS)
_GRAIN = {"plain": 0.05, "metal": 0.1, "fur": 0.12, "wool": 0.14, "feathers": 0.09}  # else 0.12


@cache
def _tile(name: str) -> Image.Image:
    """Return a tile as a float image of unit deviation, padded by half its size so that pieces can wrap."""
    return Image.fromarray(np.pad(_MAKERS[name](), (0, SIDE // 2), mode="wrap").astype(np.float32))


def piece(name: str, width: int, height: int, rng: Random, zoom: float = 1.0) -> np.ndarray:
    """Return a random piece of a tile, float32 (height, width), mean about 0, deviation about 1.

    `zoom` magnifies the structure of the tile; a piece is never larger than the tile.
    """
    zoom = max(zoom, width / SIDE, height / SIDE)
    w, h = width / zoom, height / zoom
    left, top = rng.uniform(0, SIDE * 1.5 - w), rng.uniform(0, SIDE * 1.5 - h)
    box = (left, top, left + w, top + h)
    if zoom == 1.0:
        box = (round(left), round(top), round(left) + width, round(top) + height)
        return np.asarray(_tile(name).crop(box))
    return np.asarray(_tile(name).resize((width, height), Image.Resampling.BILINEAR, box=box))


def grain(material: str, width: int, height: int, rng: Random) -> np.ndarray:
    """Return the relative change in brightness by a material's texture: float32 (height, width), to be added to 1."""
    return piece(material, width, height, rng, rng.uniform(0.7, 1.3)) * np.float32(_GRAIN.get(material, 0.12))
