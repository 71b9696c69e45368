"""Backgrounds: skies, meadows, streets, shores, rooms, walls … with out-of-focus details.

Every scene is a function of (width, height, random numbers) that returns float32 (height, width, 3), RGB 0..255.
"""

from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from zfnet.synthetic import textures
from zfnet.synthetic.canvas import Colour, jitter, mix, smooth

Scene = Callable[[int, int, Random], np.ndarray]


def gradient(width: int, height: int, top: Colour, bottom: Colour) -> np.ndarray:
    """Return a vertical gradient from `top` to `bottom`, float32 (height, width, 3)."""
    weight = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    column = np.array(top, np.float32) * (1 - weight) + np.array(bottom, np.float32) * weight  # (height, 3)
    return np.repeat(column[:, None], width, axis=1)


def surface(width: int, height: int, colour: Colour, tile: str, depth: float, rng: Random, zoom: float) -> np.ndarray:
    """Return one colour under a texture of contrast `depth`, float32 (height, width, 3)."""
    tone = 1 + depth * textures.piece(tile, width, height, rng, zoom)
    return tone[..., None] * np.array(colour, np.float32)


def pick(colours: tuple[Colour, ...], rng: Random, amount: float = 22) -> Colour:
    """Return one of the colours, jittered."""
    return jitter(rng.choice(colours), amount, rng)


def clutter(pixels: np.ndarray, draw_on: Callable[[ImageDraw.ImageDraw], None], blur: float) -> np.ndarray:
    """Draw into the image and blur the result."""
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    draw_on(ImageDraw.Draw(image))
    return np.asarray(image.filter(ImageFilter.BoxBlur(blur)), dtype=np.float32)


def heap(x: float, y: float, rx: float, ry: float, rng: Random) -> list[float]:
    """Return the outline of a bush, stone or distant tree: a round shape with an irregular rim, as a flat list."""
    angles = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    reach = np.array([rng.uniform(0.75, 1.15) for _ in angles])
    points = np.stack([x + rx * reach * np.cos(angles), y + ry * reach * np.sin(angles)], axis=1)
    return smooth(points).ravel().tolist()


SKIES = (((96, 146, 206), (196, 216, 232)), ((148, 166, 186), (206, 210, 212)), ((112, 128, 168), (240, 196, 150)))
GREENS = ((92, 128, 56), (120, 136, 66), (76, 106, 58))


def sky(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw an open sky with clouds."""
    top, bottom = rng.choice(SKIES)
    pixels = gradient(width, height, jitter(top, 18, rng), jitter(bottom, 14, rng))
    clouds = textures.piece("clouds", width, height, rng, rng.uniform(0.9, 1.6)).clip(-0.3, 2)[..., None]
    weight = 0.3 * (clouds + 0.3) * rng.uniform(0.2, 1)
    return pixels * (1 - weight) + np.float32(244) * weight


def landscape(
    width: int, height: int, rng: Random, ground: Colour, tile: str, rise: Callable[..., None] | None
) -> np.ndarray:
    """Draw sky above a horizon and textured ground below it; `rise` draws what stands on the horizon."""
    pixels = sky(width, height, rng)
    horizon = round(height * rng.uniform(0.3, 0.62))
    far, near = mix(ground, (190, 200, 205), 0.3), mix(ground, (30, 30, 24), 0.12)
    tone = 1 + 0.2 * textures.piece(tile, width, height - horizon, rng, rng.uniform(0.8, 1.6))[..., None]
    pixels[horizon:] = gradient(width, height - horizon, far, near) * tone
    if rise is None:
        return pixels
    return clutter(pixels, lambda draw: rise(draw, width, height, horizon, rng), rng.choice((0.5, 1, 1.5)))


def trees(draw: ImageDraw.ImageDraw, width: int, height: int, horizon: int, rng: Random) -> None:
    """Draw a row of trees and bushes on the horizon and a few stones in front of it."""
    green = pick(GREENS, rng, 16)
    for _ in range(rng.randint(4, 11)):
        size = rng.uniform(0.04, 0.16) * height
        x = rng.uniform(0, width)
        draw.polygon(heap(x, horizon - size * 0.4, size * rng.uniform(0.6, 1.4), size, rng), jitter(green, 20, rng))
    for _ in range(rng.randint(0, 3)):
        y = rng.uniform(horizon, height)
        size = 0.02 * height + 0.12 * (y - horizon)
        draw.polygon(heap(rng.uniform(0, width), y, size * 1.5, size, rng), jitter((120, 114, 102), 30, rng))


def hills(draw: ImageDraw.ImageDraw, width: int, height: int, horizon: int, rng: Random) -> None:
    """Draw distant blue hills."""
    for haze in (0.75, 0.5):
        tops = [horizon - rng.uniform(0, 0.2) * height * haze * 1.4 for _ in range(6)]
        ridge = [value for i, top in enumerate(tops) for value in (i * width / 5, top)]
        draw.polygon([*ridge, width, horizon, 0, horizon], mix((84, 106, 96), (170, 184, 200), haze))


def houses(draw: ImageDraw.ImageDraw, width: int, height: int, horizon: int, rng: Random) -> None:
    """Draw a row of houses with windows, and a kerb."""
    x = -rng.uniform(0, 0.2) * width
    while x < width:
        wide, tall = rng.uniform(0.15, 0.35) * width, rng.uniform(0.2, 0.6) * height
        wall = pick(((150, 132, 112), (176, 164, 150), (140, 96, 78), (112, 116, 124)), rng)
        draw.rectangle((x, horizon - tall, x + wide, horizon), wall)
        step, pane = max(7.0, wide / 4), mix(wall, (40, 48, 60), 0.7)
        for row in range(int(tall / step / 1.2)):
            for column in range(int(wide / step)):
                left, top = x + step * (column + 0.3), horizon - tall + step * 1.2 * (row + 0.3)
                draw.rectangle((left, top, left + step * 0.45, top + step * 0.7), pane)
        x += wide
    draw.rectangle((0, horizon, width, horizon + height * 0.03), (158, 154, 148))


def meadow(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw grass in front of trees."""
    return landscape(width, height, rng, pick(GREENS, rng), "grass", trees)


def steppe(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw dry grass in front of hills or trees."""
    return landscape(
        width, height, rng, pick(((178, 152, 98), (154, 136, 96)), rng), "grass", rng.choice((hills, trees))
    )


def snow(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw snow in front of dark trees."""
    return landscape(width, height, rng, pick(((222, 226, 234),), rng, 10), "clouds", trees)


def beach(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw sand, with or without hills behind it."""
    return landscape(
        width, height, rng, pick(((206, 182, 138), (190, 172, 142)), rng), "sand", rng.choice((None, hills))
    )


def street(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw asphalt in front of a row of houses."""
    return landscape(width, height, rng, pick(((104, 104, 106), (128, 122, 114)), rng, 14), "sand", houses)


def lake(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw water under the sky, with or without hills or trees on the far shore."""
    water = pick(((62, 104, 138), (84, 124, 132), (92, 110, 120)), rng)
    return landscape(width, height, rng, water, "water", rng.choice((None, hills, trees)))


def reef(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw blue water with weed and stones at the bottom."""
    top = pick(((60, 150, 176), (44, 118, 160), (86, 150, 140)), rng)
    pixels = gradient(width, height, top, mix(top, (10, 30, 60), rng.uniform(0.3, 0.7)))
    pixels *= 1 + 0.08 * textures.piece("water", width, height, rng, 2.0)[..., None]

    def grow(draw: ImageDraw.ImageDraw) -> None:
        for _ in range(rng.randint(5, 12)):
            x, size = rng.uniform(0, width), rng.uniform(0.06, 0.2) * height
            colour = pick(((150, 96, 88), (96, 120, 84), (140, 128, 96), (112, 84, 120)), rng, 26)
            draw.polygon(heap(x, height - rng.uniform(0, 0.1) * height, size * 0.8, size, rng), colour)

    return clutter(pixels, grow, 1.5)


def foliage(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw leaves and light, more or less out of focus."""
    green = pick((*GREENS, (70, 92, 50)), rng, 26)
    pixels = surface(width, height, green, "leaves", 0.3, rng, rng.uniform(0.9, 2.2))

    def leaves(draw: ImageDraw.ImageDraw) -> None:
        for _ in range(rng.randint(8, 22)):
            size = rng.uniform(0.03, 0.13) * height
            colour = mix(jitter(green, 34, rng), (214, 222, 160), rng.choice((0, 0, 0.3)))
            draw.polygon(heap(rng.uniform(0, width), rng.uniform(0, height), size, size * 0.7, rng), colour)

    return clutter(pixels, leaves, rng.choice((1, 2, 4)))


WALLS = ((206, 196, 178), (174, 188, 190), (196, 170, 150), (150, 160, 140), (128, 122, 138), (222, 216, 206))


def room(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw a wall with pictures, shelves or a window, and a floor."""
    wall, floor = pick(WALLS, rng), pick(((138, 98, 64), (112, 84, 66), (150, 140, 128), (104, 110, 116)), rng)
    pixels = surface(width, height, wall, rng.choice(("plain", "cloth", "plain")), 0.06, rng, 1.0)
    edge = round(height * rng.uniform(0.6, 0.85))
    pixels[edge:] = surface(width, height - edge, floor, rng.choice(("wood", "cloth", "sand")), 0.12, rng, 1.0)

    def furnish(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((0, edge - 3, width, edge), mix(wall, (255, 255, 255), 0.5))
        for _ in range(rng.randint(1, 4)):
            wide, tall = rng.uniform(0.1, 0.3) * width, rng.uniform(0.12, 0.45) * height
            left, top = rng.uniform(0, width - wide), rng.uniform(0, edge - tall)
            rim = pick(((88, 62, 42), (226, 222, 214), (54, 54, 58)), rng)
            draw.rectangle((left, top, left + wide, top + tall), rim)
            inner = pick(((150, 176, 196), (176, 150, 110), (94, 116, 96), (170, 96, 80)), rng, 34)
            frame = min(3, wide / 4, tall / 4)
            draw.rectangle((left + frame, top + frame, left + wide - frame, top + tall - frame), inner)

    return clutter(pixels, furnish, rng.choice((0.5, 1, 2)))


def table(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw a table top in front of a dim room."""
    top = pick(((158, 112, 70), (120, 86, 58), (196, 166, 126), (210, 206, 200), (88, 98, 110)), rng)
    pixels = gradient(width, height, pick(WALLS, rng, 30), pick(WALLS, rng, 30)) * np.float32(rng.uniform(0.5, 0.95))

    def blurs(draw: ImageDraw.ImageDraw) -> None:
        for _ in range(rng.randint(2, 6)):
            size = rng.uniform(0.06, 0.2) * height
            colour = pick((*WALLS, (150, 70, 56), (60, 80, 110)), rng, 30)
            draw.polygon(heap(rng.uniform(0, width), rng.uniform(0, 0.6) * height, size, size * 1.4, rng), colour)

    pixels = clutter(pixels, blurs, 5)
    edge = round(height * rng.uniform(0.3, 0.6))
    tile = rng.choice(("wood", "wood", "cloth"))
    pixels[edge:] = surface(width, height - edge, top, tile, 0.1, rng, rng.uniform(0.8, 1.6))
    return pixels


def wall(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw brick, stone or planks over the whole image."""
    tile = rng.choice(("brick", "stone", "wood"))
    colour = {"brick": (158, 96, 74), "stone": (142, 136, 126), "wood": (140, 106, 72)}[tile]
    return surface(width, height, jitter(colour, 30, rng), tile, 0.14, rng, rng.uniform(0.8, 1.5))


def studio(width: int, height: int, rng: Random) -> np.ndarray:
    """Draw a plain backdrop, lighter or darker towards the bottom."""
    colour = pick((*WALLS, (236, 236, 236), (64, 70, 82), (96, 60, 60)), rng, 26)
    pixels = gradient(width, height, colour, mix(colour, rng.choice(((20, 20, 20), (255, 255, 255))), 0.35))
    return pixels * (1 + 0.06 * textures.piece("plain", width, height, rng, 1.0)[..., None])


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (sky, meadow, steppe, snow, beach, street, lake, reef, foliage, room, table, wall, studio)
}
