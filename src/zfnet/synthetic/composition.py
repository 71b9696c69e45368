"""Composition of whole images: background, objects, light, lens and film; and their JPEG encoding."""

import io
from random import Random
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from zfnet.synthetic import scenes, textures
from zfnet.synthetic.canvas import Canvas, Frame, Pen
from zfnet.synthetic.categories import Category
from zfnet.synthetic.families import FAMILIES
from zfnet.synthetic.objects.coats import coat

RATIOS = (4 / 3, 4 / 3, 4 / 3, 3 / 2, 5 / 4, 1.0, 3 / 4, 2 / 3)  # width to height


class Thing(NamedTuple):
    """An object in a finished image."""

    name: str
    box: tuple[int, int, int, int]  # left, top, right, bottom, pixels, right and bottom excluded
    points: dict[str, tuple[float, float]]  # key points of a face, pixels


def image_size(side: int, rng: Random) -> tuple[int, int]:
    """Return a random (width, height) whose shorter side is `side`."""
    ratio = rng.choice(RATIOS)
    return (round(side * ratio), side) if ratio >= 1 else (side, round(side / ratio))


def portrait(category: Category, size: tuple[int, int], rng: Random, fill: float = 1.0) -> tuple[np.ndarray, Thing]:
    """Compose one large object on a background of its family; return uint8 (H, W, 3) and the placed object."""
    width, height = size
    family = FAMILIES[category.family]
    canvas = Canvas(scenes.SCENES[rng.choice(family.scenes.split())](width, height, rng), rng)
    fraction = rng.uniform(0.68, 1.02) * fill
    scale = fraction * min(width / 2 / family.half[0], height / 2 / family.half[1])
    x = width * rng.uniform(0.4, 0.6)
    y = height * rng.uniform(0.45, 0.56) if family.foot is None else _standing(height, family.half[1], scale, rng)
    thing = put(canvas, category, x, y, scale, rng)
    assert thing is not None, "a portrait's object lies in the image"
    return finish(canvas.pixels, rng), thing


def _standing(height: int, half: float, scale: float, rng: Random) -> float:
    """Return the vertical centre of an object that stands in the lower part of the image."""
    return max(height * 0.45, height * rng.uniform(0.9, 0.98) - half * scale)


def put(canvas: Canvas, category: Category, x: float, y: float, scale: float, rng: Random) -> Thing | None:
    """Draw one member of a category at (x, y); return None if it is entirely outside the image."""
    family = FAMILIES[category.family]
    upright = family.foot is not None or category.family in ("face", "sign", "flower", "balloon")
    angle = rng.gauss(0, family.turn)
    flip = rng.random() < 0.5 and category.family not in _NEVER_FLIPPED
    lean = rng.uniform(-0.12, 0.12) if upright else rng.uniform(-0.25, 0.25)
    pen = Pen(canvas.size, Frame.at(x, y, scale, angle, flip, lean), rng)
    points = family.draw(pen, category.shape, coat(category.colour, rng), category.marking)
    box = canvas.stamp(pen, family.material, family.foot is not None)
    return box and Thing(category.name, box, points if isinstance(points, dict) else {})


_NEVER_FLIPPED = ("face", "sign")  # writing would be mirrored, and the key points of a face swapped


def gathering(categories: list[Category], size: tuple[int, int], rng: Random) -> tuple[np.ndarray, list[Thing]]:
    """Compose several objects side by side, the nearer ones larger, lower and in front."""
    width, height = size
    scene = rng.choice(FAMILIES[rng.choice(categories).family].scenes.split())
    canvas = Canvas(scenes.SCENES[scene](width, height, rng), rng)
    places = rng.sample(range(len(categories)), len(categories))
    depths = sorted(rng.uniform(0.0, 1.0) for _ in categories)
    placed = []
    for category, place, depth in zip(categories, places, depths, strict=True):
        half = FAMILIES[category.family].half
        room = min(width / 2 / half[0], height / 2 / half[1])
        scale = room * (0.3 + 0.45 * depth if len(categories) > 1 else rng.uniform(0.5, 1.0))
        x = width * (place + 0.5 + rng.uniform(-0.25, 0.25)) / len(categories)
        y = min(height * (0.45 + 0.4 * depth), height * 0.97 - half[1] * scale * 0.9)
        placed.append(put(canvas, category, x, y, scale, rng))
    return finish(canvas.pixels, rng), [thing for thing in placed if thing]


def background(size: tuple[int, int], rng: Random) -> np.ndarray:
    """Compose an image of nothing in particular: a scene, usually with random shapes in it."""
    width, height = size
    canvas = Canvas(scenes.SCENES[rng.choice(tuple(scenes.SCENES))](width, height, rng), rng)
    for _ in range(rng.choice((0, 1, 3, 6))):
        reach = rng.uniform(0.05, 0.35) * height
        pen = Pen(size, Frame.at(rng.uniform(0, width), rng.uniform(0, height), reach, rng.uniform(0, 6.28)), rng)
        colours = coat("any", rng)
        corners = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(rng.randint(3, 7))]
        rng.choice((pen.blob, pen.polygon))(corners, colours.base)
        canvas.stamp(pen, rng.choice(textures.NAMES), rng.random() < 0.5)
    return finish(canvas.pixels, rng)


def finish(pixels: np.ndarray, rng: Random) -> np.ndarray:
    """Apply exposure, colour cast, light falloff, blur and film grain; return uint8 (H, W, 3)."""
    height, width = pixels.shape[:2]
    gain = rng.uniform(0.78, 1.12)
    across = np.linspace(-1, 1, width, dtype=np.float32) * rng.uniform(-0.2, 0.2)
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * rng.uniform(-0.15, 0.15)
    cast = np.array([rng.uniform(0.93, 1.07), 1.0, rng.uniform(0.9, 1.1)], np.float32)
    light = gain * (1 + across + down)[..., None] * cast  # (H, W, 3)
    image = Image.fromarray(np.clip(pixels * light, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.BoxBlur(rng.choice((0.2, 0.3, 0.4, 0.7))))
    film = (textures.piece("film", width, height, rng) * rng.uniform(1, 5)).astype(np.int16)
    return np.clip(np.asarray(image) + film[..., None], 0, 255).astype(np.uint8)


def encode(pixels: np.ndarray, quality: int = 90, quirk: str | None = None) -> bytes:
    """Return JPEG bytes, optionally with a quirk of the official archive: png, cmyk, grey or exif (a corrupt block)."""
    image = Image.fromarray(pixels)
    if quirk in ("cmyk", "grey"):
        image = image.convert({"cmyk": "CMYK", "grey": "L"}[quirk])
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff" if quirk == "exif" else b""
    buffer = io.BytesIO()
    image.save(buffer, "PNG") if quirk == "png" else image.save(buffer, "JPEG", quality=quality, exif=exif)
    return buffer.getvalue()
