"""Birds, fish, butterflies, beetles, frogs and turtles, in about -1..1; those that stand do so on y = 1."""

import math
from typing import NamedTuple

from zfnet.synthetic.canvas import Colour, Pen, mix
from zfnet.synthetic.objects.coats import DARK, PALE, Coat, mark


class Bird(NamedTuple):
    """Proportions of a standing bird from the side."""

    body: float  # half length
    deep: float  # half height
    leg: float
    neck: float
    head: float
    beak: float
    hook: float = 0.0  # how far the beak bends down
    tail: float = 0.5
    crest: bool = False


BIRDS = {
    "finch": Bird(0.56, 0.36, 0.30, 0.12, 0.27, 0.16),
    "heron": Bird(0.46, 0.24, 0.80, 0.62, 0.15, 0.46, tail=0.3),
    "parrot": Bird(0.50, 0.36, 0.20, 0.16, 0.30, 0.18, 0.24, tail=0.95, crest=True),
    "duck": Bird(0.70, 0.36, 0.14, 0.34, 0.22, 0.24, -0.02, tail=0.25),
    "hoopoe": Bird(0.50, 0.28, 0.36, 0.20, 0.19, 0.44, 0.12, crest=True),
    "songbird": Bird(0.52, 0.32, 0.34, 0.14, 0.24, 0.14, tail=0.7),
    "flamingo": Bird(0.42, 0.26, 0.95, 0.66, 0.14, 0.22, 0.16, tail=0.2),
    "rooster": Bird(0.54, 0.40, 0.36, 0.36, 0.20, 0.16, 0.05, tail=0.8, crest=True),
}


def bird(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a bird on its legs, looking to the right."""
    rng, form = pen.rng, BIRDS[shape]
    y, horn = 1 - form.leg - form.deep, rng.choice(((222, 160, 60), (90, 84, 80), (214, 110, 60)))
    for x in (-0.06, 0.12):
        pen.stroke([(x, y), (x + 0.03, 1 - form.leg * 0.45), (x, 0.98)], 0.05, mix(horn, DARK, 0.2))
        pen.stroke([(x - 0.1, 1), (x, 0.97), (x + 0.14, 1)], 0.04, mix(horn, DARK, 0.3))
    droop = rng.uniform(0.0, 0.35)
    pen.blob([(-form.body * 0.6, y - 0.12), (-form.body - form.tail, y + droop),
              (-form.body - form.tail, y + droop + 0.12), (-form.body * 0.5, y + 0.16)], coat.dark)  # fmt: skip
    b, d = form.body, form.deep
    pen.blob([(-b, y), (-b * 0.4, y - d), (b * 0.5, y - d * 0.95), (b, y - 0.3 * d), (b * 0.6, y + d * 0.8),
             (-b * 0.3, y + d)], coat.base)  # fmt: skip
    head = _bird_neck(pen, form, y, coat)
    mark(pen, marking, coat.second, 0.7)
    pen.blob(
        [(b * 0.2, y + d * 0.2), (b * 0.9, y - d * 0.1), (b * 0.5, y + d * 0.75), (-b * 0.2, y + d * 0.9)], coat.pale
    )
    _wing(pen, form, y, coat)
    _bird_head(pen.part(*head, angle=rng.uniform(-0.2, 0.25)), form, coat, horn)


def _bird_neck(pen: Pen, form: Bird, y: float, coat: Coat) -> tuple[float, float]:
    """Draw the neck; return where the head sits."""
    start = (form.body * 0.7, y - 0.4 * form.deep)
    end = (start[0] + 0.12 + 0.2 * form.neck, start[1] - form.neck - 0.14)
    bend = (start[0] + 0.35 * form.neck, (start[1] + end[1]) / 2 + 0.1)
    pen.limb([start, bend, end], form.deep * 0.9, form.head * 0.9, coat.base)
    return end


def _wing(pen: Pen, form: Bird, y: float, coat: Coat) -> None:
    b, d = form.body, form.deep
    pen.blob([(b * 0.55, y - d * 0.55), (b * 0.1, y + d * 0.5), (-b * 0.7, y + d * 0.5), (-b * 1.4, y + d * 0.35),
              (-b * 0.5, y - d * 0.5)], coat.dark)  # fmt: skip
    for i in range(3):
        x = -b * (0.1 + 0.35 * i)
        pen.stroke([(x + b * 0.3, y - d * 0.1), (x - b * 0.3, y + d * 0.4)], 0.03, mix(coat.dark, PALE, 0.35))


def _bird_head(pen: Pen, form: Bird, coat: Coat, horn: Colour) -> None:
    h, k = form.head, form.beak
    if form.crest:
        for lean in (-0.5, -0.1, 0.3):
            pen.limb([(0, -h * 0.5), (lean * h - 0.1, -h * 1.9)], 0.14, 0.03, coat.second)
    pen.polygon([(h * 0.7, -h * 0.35), (h + k, form.hook + 0.02), (h * 0.7, h * 0.4)], horn)
    pen.stroke([(h * 0.7, h * 0.02), (h + k * 0.8, form.hook * 0.8 + 0.02)], 0.02, DARK)
    pen.ellipse(0, 0, h, h * 0.92, coat.base)
    pen.ellipse(h * 0.35, -h * 0.12, 0.085, 0.085, coat.pale)
    pen.ellipse(h * 0.37, -h * 0.12, 0.055, 0.055, (18, 16, 18))
    pen.ellipse(h * 0.41, -h * 0.2, 0.018, 0.018, (250, 250, 250))


class Fish(NamedTuple):
    """Proportions of a fish from the side."""

    deep: float
    tail: float
    fin: float
    nose: float = 0.0


FISHES = {
    "bass": Fish(0.32, 0.36, 0.22),
    "angelfish": Fish(0.62, 0.30, 0.55),
    "pike": Fish(0.18, 0.28, 0.16, 0.2),
    "wrasse": Fish(0.42, 0.24, 0.14),
    "goldfish": Fish(0.40, 0.60, 0.30),
}


def fish(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a fish swimming to the right."""
    form, sway = FISHES[shape], pen.rng.uniform(-0.12, 0.12)
    fin, t, d = mix(coat.base, coat.second, 0.35), form.tail, form.deep
    pen.blob([(-0.55, 0), (-0.95, -t + sway), (-0.82, sway), (-0.95, t + sway)], fin)
    pen.blob([(-0.4, -0.6 * d), (-0.2, -d - form.fin), (0.1, -d - form.fin * 0.6), (0.4, -0.7 * d)], fin)
    pen.blob([(-0.3, 0.6 * d), (-0.25, d + form.fin * 0.8), (0.0, d * 0.8)], fin)
    pen.blob([(-0.68, 0), (-0.2, -d), (0.3, -d * 0.9), (0.76 + form.nose, -0.05), (0.78 + form.nose, 0.08),
              (0.3, d * 0.9), (-0.2, d)], coat.base)  # fmt: skip
    mark(pen, marking, coat.second, 0.8)
    pen.blob([(0.74 + form.nose, 0.1), (0.3, d * 0.5), (-0.4, d * 0.3), (0.2, d * 0.9)], coat.pale)
    pen.stroke([(0.36, -0.6 * d), (0.28, 0), (0.36, 0.6 * d)], 0.035, coat.dark)
    pen.blob([(0.2, 0.1), (-0.12, 0.02), (-0.16, 0.26), (0.05, 0.24)], mix(fin, PALE, 0.25))
    pen.ellipse(0.52, -0.18 * d - 0.02, 0.1, 0.1, PALE)
    pen.ellipse(0.54, -0.18 * d - 0.02, 0.06, 0.06, (16, 16, 20))
    pen.stroke([(0.77 + form.nose, 0.06), (0.64 + form.nose, 0.1)], 0.03, DARK)


WINGS = {
    "swallowtail": (1.0, 0.5, True),
    "moth": (0.75, 0.75, False),
    "admiral": (0.95, 0.72, False),
    "monarch": (1.0, 0.6, False),
}


def butterfly(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a butterfly with spread wings, seen from above; the markings are the same on both sides."""
    upper, lower, tailed = WINGS[shape]
    open_ = pen.rng.uniform(0.7, 1.05)
    for side in (-1, 1):

        def at(x: float, y: float, side: int = side) -> tuple[float, float]:
            return side * x * open_, y

        if tailed:
            pen.limb([at(0.4, 0.5), at(0.55, 1.0)], 0.16, 0.08, coat.dark)
        pen.blob(
            [at(0.05, 0.0), at(0.6, 0.05), at(0.62 * lower + 0.2, 0.5), at(0.3, 0.85 * lower + 0.1), at(0.05, 0.4)],
            coat.base,
        )
        pen.blob([at(0.05, -0.2), at(0.5, -0.75), at(0.95 * upper, -0.8), at(0.9 * upper, -0.3), at(0.5, 0.08),
                 at(0.05, 0.1)], coat.base)  # fmt: skip
    _wing_marks(pen, marking, coat, open_)
    pen.blob([(-0.08, -0.4), (0.08, -0.4), (0.09, 0.1), (0.0, 0.6), (-0.09, 0.1)], mix(DARK, coat.base, 0.15))
    pen.ellipse(0, -0.46, 0.09, 0.1, DARK)
    for side in (-1, 1):
        pen.stroke([(0, -0.5), (0.12 * side, -0.8), (0.26 * side, -0.95)], 0.025, DARK)


_WING_MARKS = {  # x, y and radius on the right wings
    "spotted": ((0.75, -0.6, 0.11), (0.5, -0.35, 0.09), (0.5, 0.35, 0.1), (0.3, 0.6, 0.07)),
    "patched": ((0.62, -0.5, 0.24), (0.42, 0.36, 0.2)),
    "striped": ((0.3, -0.4, 0.06), (0.5, -0.5, 0.06), (0.7, -0.6, 0.06), (0.3, 0.3, 0.06), (0.5, 0.4, 0.06)),
}


def _wing_marks(pen: Pen, marking: str, coat: Coat, open_: float) -> None:
    for side in (-1, 1):
        for x, y, r in _WING_MARKS.get(marking, ()):
            tall = 4 * r if marking == "striped" else r
            pen.ellipse(side * x * open_, y, r, tall, coat.second, side * 0.4)
            if marking == "spotted":
                pen.ellipse(side * x * open_, y, r * 0.5, r * 0.5, coat.pale)
        if marking == "banded":
            pen.stroke(
                [(side * 0.9 * open_, -0.75), (side * 0.85 * open_, -0.3), (side * 0.55 * open_, 0.06)],
                0.14,
                coat.second,
            )


SHELLS = {
    "ladybird": (0.62, 0.6, 0.22),
    "weevil": (0.44, 0.72, 0.3),
    "stag": (0.5, 0.66, 0.34),
    "scarab": (0.66, 0.72, 0.3),
}


def beetle(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a beetle from above: six legs, wing cases with a seam, horns or feelers."""
    wide, tall, head = SHELLS[shape]
    for side in (-1, 1):
        for y, reach in ((-0.3, -0.3), (0.1, 0.05), (0.45, 0.42)):
            knee = (side * (wide + 0.2), y + reach * 0.3 + pen.rng.uniform(-0.06, 0.06))
            pen.stroke([(side * wide * 0.6, y), knee, (side * (wide + 0.3), y + reach + 0.1)], 0.06, DARK)
        pen.stroke([(0, -tall), (side * 0.2, -tall - 0.3), (side * (0.06 if shape == "stag" else 0.4), -tall - 0.42)],
                   0.09 if shape == "stag" else 0.035, DARK)  # fmt: skip
    pen.ellipse(0, -tall * 0.95, head, head * 0.8, DARK)
    pen.ellipse(0, -tall * 0.62, wide * 0.72, 0.26, mix(coat.dark, DARK, 0.3))
    pen.blob([(0, -tall * 0.5), (wide, -tall * 0.3), (wide * 0.95, tall * 0.4), (0, tall), (-wide * 0.95, tall * 0.4),
              (-wide, -tall * 0.3)], coat.base)  # fmt: skip
    mark(pen.part(0, 0.1, 0.75), marking, coat.second)
    pen.stroke([(0, -tall * 0.5), (0, tall * 0.97)], 0.035, DARK)
    pen.ellipse(-wide * 0.4, -tall * 0.1, wide * 0.12, tall * 0.2, mix(coat.base, PALE, 0.55), 0.3)


def frog(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a sitting frog from the front."""
    for side in (-1, 1):
        pen.blob(
            [(side * 0.3, 0.4), (side * 0.9, 0.3), (side * 1.0, 0.75), (side * 0.6, 0.95), (side * 0.3, 0.9)], coat.dark
        )
        pen.limb([(side * 0.4, 0.3), (side * 0.45, 0.7), (side * 0.42, 0.98)], 0.2, 0.12, coat.base)
        for toe in (-0.12, 0.0, 0.12):
            pen.stroke([(side * 0.42, 0.94), (side * 0.46 + toe, 1.0)], 0.06, coat.base)
    pen.blob([(-0.5, -0.1), (0.5, -0.1), (0.68, 0.5), (0.4, 0.92), (-0.4, 0.92), (-0.68, 0.5)], coat.base)
    pen.ellipse(0, 0.6, 0.42, 0.34, coat.pale)
    pen.blob([(-0.72, -0.1), (-0.4, -0.42), (0.4, -0.42), (0.72, -0.1), (0.4, 0.22), (-0.4, 0.22)], coat.base)
    mark(pen, marking, coat.second, 0.7)
    pen.stroke([(-0.62, -0.02), (-0.3, 0.1), (0.3, 0.1), (0.62, -0.02)], 0.05, coat.dark)
    for side in (-1, 1):
        pen.ellipse(side * 0.4, -0.44, 0.21, 0.21, coat.base)
        pen.ellipse(side * 0.41, -0.46, 0.14, 0.14, (220, 190, 70))
        pen.ellipse(side * 0.41, -0.46, 0.1, 0.05, DARK)


def turtle(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a turtle from the side, walking to the right under a patterned shell."""
    high = {"tortoise": 0.85, "terrapin": 0.55}[shape]
    skin = mix(coat.base, (120, 130, 90), 0.6)
    for x in (-0.5, 0.4):
        pen.limb([(x, 0.6), (x + pen.rng.uniform(-0.1, 0.12), 0.97)], 0.26, 0.2, skin)
    pen.limb([(0.5, 0.55), (0.85, 0.4), (0.98, 0.3)], 0.26, 0.24, skin)
    pen.ellipse(1.02, 0.28, 0.2, 0.16, skin)
    pen.ellipse(1.1, 0.24, 0.04, 0.04, DARK)
    pen.polygon([(-0.7, 0.55), (-1.0, 0.72), (-0.66, 0.7)], skin)
    arch = [
        (-0.82 * math.cos(a), 0.68 - high * math.sin(a)) for a in (0.0, 0.4, 0.8, 1.2, 1.57, 1.94, 2.34, 2.74, 3.14)
    ]
    pen.polygon([*arch, (0.82, 0.75), (-0.82, 0.75)], coat.base)
    mark(pen.part(0, 0.4, 0.8), marking, coat.second)
    for x in (-0.4, 0.0, 0.4):
        pen.stroke([(x * 1.2, 0.68), (x * 0.8, 0.66 - high * (1 - abs(x)))], 0.04, coat.dark)
    pen.stroke([(-0.84, 0.7), (0.84, 0.7)], 0.09, coat.dark)
