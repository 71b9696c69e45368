"""Fruit, flowers, mushrooms and trees, in about -1..1; those that stand do so on y = 1."""

import math

from zfnet.synthetic.canvas import Colour, Pen, jitter, mix
from zfnet.synthetic.objects.coats import DARK, PALE, Coat, mark

LEAF, BARK = (82, 130, 62), (104, 76, 54)

FRUITS = {
    "apple": [(0, -0.7), (0.5, -0.82), (0.88, -0.3), (0.72, 0.5), (0.3, 0.86), (0, 0.76)],
    "pear": [(0, -0.95), (0.26, -0.84), (0.36, -0.3), (0.68, 0.2), (0.6, 0.74), (0, 0.95)],
    "lemon": [(0, -1.0), (0.18, -0.8), (0.62, -0.3), (0.62, 0.3), (0.2, 0.8), (0, 1.0)],
    "gourd": [(0, -0.86), (0.3, -0.7), (0.36, -0.2), (0.9, 0.2), (0.8, 0.8), (0, 0.92)],
    "pumpkin": [(0, -0.56), (0.6, -0.7), (1.0, -0.1), (0.86, 0.52), (0.4, 0.74), (0, 0.7)],
    "strawberry": [(0, -0.7), (0.5, -0.76), (0.8, -0.3), (0.5, 0.4), (0.16, 0.92), (0, 0.96)],
}


def fruit(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a fruit with stalk and leaf."""
    half = FRUITS[shape]
    pen.blob(half + [(-x, y) for x, y in half[-2:0:-1]], coat.base)
    mark(pen, marking, coat.second, 0.8)
    if shape == "pumpkin":
        for bend in (-0.7, -0.25, 0.25, 0.7):
            pen.stroke([(bend * 0.3, -0.6), (bend * 1.1, 0), (bend * 0.6, 0.68)], 0.05, coat.dark)
    if shape == "strawberry":
        for x, y in (
            (-0.4, -0.3),
            (0.0, -0.4),
            (0.4, -0.3),
            (-0.24, 0.0),
            (0.2, 0.02),
            (-0.1, 0.32),
            (0.14, 0.4),
            (0, 0.66),
        ):
            pen.ellipse(x, y, 0.04, 0.07, (240, 214, 130))
        for side in (-0.5, -0.2, 0.2, 0.5):
            pen.polygon([(0, -0.9), (side * 1.2, -0.5), (side * 0.2, -0.62)], LEAF)
    else:
        pen.limb([(0, half[0][1] + 0.08), (0.05, half[0][1] - 0.1), (0.14, half[0][1] - 0.26)], 0.08, 0.06, BARK)
        y = half[0][1] - 0.1
        pen.blob([(0.08, y), (0.36, y - 0.22), (0.62, y - 0.08), (0.36, y + 0.06)], jitter(LEAF, 20, pen.rng))
    pen.ellipse(-0.34, -0.24, 0.1, 0.16, mix(coat.base, PALE, 0.4), 0.4)


# Petals, their length and half width, radius of the centre.
FLOWERS = {
    "daisy": (13, 0.92, 0.13, 0.30),
    "cosmos": (8, 0.95, 0.28, 0.18),
    "anemone": (6, 0.86, 0.40, 0.24),
    "aster": (22, 0.90, 0.07, 0.26),
    "tulip": (0, 0.0, 0.0, 0.0),
    "sunflower": (18, 0.98, 0.13, 0.48),
    "iris": (6, 0.95, 0.25, 0.10),
}


def flower(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a flower on its stem."""
    count, length, half, centre = FLOWERS[shape]
    green = jitter(LEAF, 24, pen.rng)
    pen.limb([(0, 0), (0.06, 0.9), (pen.rng.uniform(-0.2, 0.2), 2.2)], 0.12, 0.12, green)
    for side in (-1, 1):
        y = pen.rng.uniform(1.0, 1.5)
        pen.blob(
            [(0, y + 0.3), (side * 0.4, y - 0.2), (side * 0.8, y - 0.3), (side * 0.5, y + 0.15)], mix(green, DARK, 0.15)
        )
    if shape == "tulip":
        for x, colour in ((-0.4, coat.dark), (0.4, coat.dark), (0, coat.base)):
            pen.blob([(x * 0.3, 0.5), (x - 0.36, 0.1), (x * 1.2, -0.8), (x + 0.36, 0.1)], colour)
        mark(pen.part(0, -0.1, 0.6), marking, coat.second)
        return
    start = pen.rng.uniform(0, 6.28)
    for i in range(count):
        a = start + i * 2 * math.pi / count
        colour = mix(coat.base, coat.dark if i % 2 else coat.pale, 0.3)
        pen.ellipse(length * 0.58 * math.cos(a), length * 0.58 * math.sin(a), length * 0.45, half, colour, a)
    if marking != "plain":
        mark(pen, marking, coat.second, 0.6)
    heart = (104, 70, 40) if shape == "sunflower" else (226, 186, 70)
    pen.ellipse(0, 0, centre, centre, heart)
    for i in range(12):
        a, r = i * 2.4, centre * math.sqrt((i + 0.5) / 12) * 0.9
        pen.ellipse(r * math.cos(a), r * math.sin(a), centre * 0.12, centre * 0.12, mix(heart, DARK, 0.45))


CAPS = {
    "toadstool": (0.92, 0.62, 0.14),
    "bolete": (0.78, 0.5, 0.3),
    "morel": (0.5, 0.95, 0.2),
    "parasol": (1.05, 0.34, 0.1),
}


def mushroom(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a mushroom, perhaps with a small one beside it."""
    if pen.rng.random() < 0.5:
        _mushroom(pen.part(pen.rng.choice((-0.7, 0.7)), 0.6, 0.42), shape, coat, marking)
    _mushroom(pen, shape, coat, marking)


def _mushroom(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    wide, high, stem = CAPS[shape]
    pale = (232, 222, 200)
    pen.limb([(0, -0.2), (0.02, 0.4), (0, 1.0)], stem * 1.8, stem * 2.6, pale)
    pen.ellipse(0, 0.0, wide * 0.95, 0.16, mix(pale, DARK, 0.2))
    arch = [(wide * math.cos(a), 0.05 - high * math.sin(a) * 1.2) for a in (i * math.pi / 12 for i in range(13))]
    cap = pen.part(0, 0)
    cap.polygon([*arch, (-wide * 0.6, 0.12), (wide * 0.6, 0.12)], coat.base)
    if marking == "spotted":
        for x, y in ((-0.5, -0.25), (-0.1, -0.5), (0.35, -0.3), (0.0, -0.12), (0.62, -0.08), (-0.75, -0.05)):
            cap.ellipse(x * wide, y * high * 1.6, 0.11, 0.09, coat.pale)
    elif marking != "plain":
        mark(cap.part(0, -0.4, 0.7), marking, coat.second)
        pen.limb([(0, 0.2), (0.02, 0.5), (0, 1.0)], stem * 1.9, stem * 2.6, pale)


def tree(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a tree, a palm, a fir, a cactus or a plant in its pot."""
    rng, green = pen.rng, jitter(LEAF, 26, pen.rng)
    if shape in ("cactus", "pot"):
        _cactus(pen, green) if shape == "cactus" else _potted(pen, coat, green)
        return
    pen.limb([(0.03, -0.4), (0, 0.3), (0, 1)], 0.12, 0.24, BARK)
    if shape == "palm":
        for i in range(8):
            a = i * math.pi / 4 + rng.uniform(-0.2, 0.2)
            pen.limb([(0, -0.5), (0.5 * math.cos(a), -0.66 - 0.3 * math.sin(a)), (0.95 * math.cos(a),
                     -0.4 - 0.4 * math.sin(a))], 0.2, 0.04, jitter(green, 22, rng))  # fmt: skip
        return
    if shape == "fir":
        for y, half in ((0.55, 0.72), (0.2, 0.6), (-0.12, 0.46), (-0.45, 0.32)):
            pen.polygon([(-half, y), (0, y - 0.6), (half, y), (0, y - 0.06)], jitter(mix(green, DARK, 0.25), 12, rng))
        return
    for _ in range(10):
        a, r = rng.uniform(0, 6.28), rng.uniform(0.1, 0.5)
        pen.ellipse(
            r * math.cos(a) * 1.2, -0.4 + r * math.sin(a), 0.36, 0.32, jitter(mix(green, coat.base, 0.5), 22, rng)
        )
    mark(pen.part(0, -0.4, 0.6), "spotted" if marking == "spotted" else "plain", coat.second, 0.8)


def _cactus(pen: Pen, green: Colour) -> None:
    for side, low, high in ((-1, 0.3, -0.5), (1, 0.1, -0.3)):
        pen.limb([(0, low), (side * 0.45, low), (side * 0.55, (low + high) / 2), (side * 0.55, high)], 0.26, 0.2, green)
    pen.limb([(0, -0.95), (0, 0), (0, 1)], 0.4, 0.44, green)
    for x in (-0.1, 0.0, 0.1):
        pen.stroke([(x, -0.85), (x, 0.95)], 0.02, mix(green, PALE, 0.5))


def _potted(pen: Pen, coat: Coat, green: Colour) -> None:
    """Draw long leaves growing from a pot."""
    rng = pen.rng
    for i in range(9):
        a = math.pi * (0.08 + 0.84 * i / 8) + rng.uniform(-0.1, 0.1)
        reach = rng.uniform(0.8, 1.2)
        tip = (reach * math.cos(a), 0.3 - reach * math.sin(a))
        side = 0.16
        pen.blob([(0, 0.3), (tip[0] * 0.6 - side, tip[1] * 0.6 + 0.1), tip,
                 (tip[0] * 0.6 + side, tip[1] * 0.6 + 0.14)], jitter(green, 26, rng))  # fmt: skip
    pen.polygon([(-0.42, 0.3), (0.42, 0.3), (0.3, 1.0), (-0.3, 1.0)], coat.base)
    pen.box(-0.47, 0.24, 0.47, 0.4, mix(coat.base, DARK, 0.15))
