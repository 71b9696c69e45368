"""Cars, buses, cycles, boats, aeroplanes and trains from the side, heading to the right, in about -1..1.

Those that drive stand on y = 0.6, boats float with the water line at y = 0.6.
"""

import math
from typing import NamedTuple

from zfnet.synthetic.canvas import Colour, Pen, Points, jitter, mix
from zfnet.synthetic.objects.coats import DARK, PALE, Coat, mark

GLASS, RUBBER, CHROME, TIMBER = (120, 150, 170), (40, 40, 42), (190, 192, 196), (110, 80, 54)


class Car(NamedTuple):
    """Outline of a motor car: corners of the body, of the windows, and the wheels."""

    body: Points
    windows: tuple[Points, ...]
    wheels: tuple[float, ...]
    radius: float = 0.2


def outline(text: str) -> list[tuple[float, float]]:
    """Return the corners of an outline written as "x y, x y, …"."""
    return [(float(x), float(y)) for x, y in (corner.split() for corner in text.split(","))]


def _panes(left: float, right: float, top: float, bottom: float, count: int) -> tuple[Points, ...]:
    """Return the outlines of a row of windows."""
    step = (right - left) / count
    return tuple(
        [(x, top), (x + step * 0.8, top), (x + step * 0.8, bottom), (x, bottom)]
        for x in (left + step * (i + 0.1) for i in range(count))
    )


CARS = {
    "pickup": Car(
        outline("-1 0.4, -1 0, -0.1 0, -0.02 -0.36, 0.4 -0.36, 0.56 -0.02, 0.96 0.04, 1 0.4"),
        (outline("0.04 -0.28, 0.36 -0.28, 0.46 -0.02, 0 -0.02"),),
        (-0.58, 0.62),
        0.22,
    ),
    "camper": Car(
        outline("-1 0.4, -1 -0.52, -0.94 -0.58, 0.6 -0.58, 0.9 -0.1, 1 0.05, 1 0.4"),
        (*_panes(-0.9, 0.3, -0.44, -0.14, 3), outline("0.42 -0.46, 0.58 -0.46, 0.8 -0.1, 0.42 -0.1")),
        (-0.6, 0.62),
        0.2,
    ),
    "roadster": Car(
        outline("-1 0.4, -0.98 0.06, -0.4 0, -0.1 0, 0.2 -0.02, 0.98 0.14, 1 0.4"),
        (outline("0.1 -0.02, 0 -0.28, 0.06 -0.28, 0.24 -0.02"),),
        (-0.62, 0.62),
        0.21,
    ),
    "jeep": Car(
        outline("-0.92 0.36, -0.92 -0.5, 0.28 -0.5, 0.36 -0.08, 0.94 -0.06, 0.96 0.36"),
        (*_panes(-0.86, 0.3, -0.42, -0.1, 2),),
        (-0.56, 0.6),
        0.27,
    ),
    "sedan": Car(
        outline("-1 0.4, -0.98 0.02, -0.62 -0.04, -0.4 -0.36, 0.22 -0.36, 0.52 -0.02, 0.94 0.06, 1 0.4"),
        (
            outline("-0.52 -0.04, -0.36 -0.29, -0.1 -0.29, -0.1 -0.04"),
            outline("-0.04 -0.04, -0.04 -0.29, 0.18 -0.29, 0.4 -0.04"),
        ),
        (-0.6, 0.6),
        0.2,
    ),
    "estate": Car(
        outline("-1 0.4, -0.98 -0.3, -0.88 -0.36, 0.2 -0.36, 0.46 -0.02, 0.94 0.06, 1 0.4"),
        (*_panes(-0.9, 0.06, -0.29, -0.04, 2), outline("0.08 -0.04, 0.08 -0.29, 0.17 -0.29, 0.34 -0.04")),
        (-0.6, 0.6),
        0.2,
    ),
    "bus": Car(
        outline("-1 0.4, -1 -0.72, -0.96 -0.78, 0.96 -0.78, 1 -0.7, 1 0.4"),
        (*_panes(-0.94, 0.6, -0.62, -0.2, 5), outline("0.68 -0.62, 0.97 -0.62, 0.97 0.3, 0.68 0.3")),
        (-0.6, 0.44),
        0.19,
    ),
    "lorry": Car(
        outline("-1 0.36, -1 -0.74, 0.38 -0.74, 0.38 -0.1, 0.44 -0.46, 0.8 -0.46, 0.96 -0.06, 1 0.36"),
        (outline("0.54 -0.36, 0.76 -0.36, 0.88 -0.06, 0.54 -0.06"),),
        (-0.66, -0.24, 0.68),
        0.2,
    ),
}


def car(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a motor car, van, bus or lorry."""
    form = CARS[shape]
    pen.polygon(form.body, coat.base)
    mark(pen.part(0, 0, 0.7), marking, coat.second)
    pen.box(-0.98, 0.3, 0.98, 0.42, mix(coat.base, DARK, 0.55))
    for window in form.windows:
        pen.polygon(window, GLASS)
        (x0, y0), (x1, y1) = window[0], window[2]
        pen.stroke([(x0 * 0.6 + x1 * 0.4, y1), (x0 * 0.4 + x1 * 0.6, y0)], 0.035, mix(GLASS, PALE, 0.6))
    pen.ellipse(0.95, 0.16, 0.05, 0.06, (250, 240, 190))
    pen.box(-1.0, 0.08, -0.94, 0.2, (180, 40, 36))
    pen.stroke([(-0.06, 0.02), (-0.06, 0.3)], 0.015, coat.dark)
    pen.stroke([(0.0, 0.08), (0.1, 0.08)], 0.03, CHROME)
    for x in form.wheels:
        wheel(pen, x, 0.6 - form.radius, form.radius)


def wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    """Draw a tyre with a hub and the arch above it."""
    pen.ellipse(x, y, radius * 1.16, radius * 1.16, (26, 26, 28))
    pen.ellipse(x, y, radius, radius, RUBBER)
    pen.ellipse(x, y, radius * 0.58, radius * 0.58, CHROME)
    for turn in range(6):
        angle = turn * math.pi / 3 + 0.3
        pen.stroke(
            [(x, y), (x + 0.5 * radius * math.cos(angle), y + 0.5 * radius * math.sin(angle))],
            radius * 0.16,
            (110, 112, 116),
        )
    pen.ellipse(x, y, radius * 0.16, radius * 0.16, (70, 70, 74))


def spokes(pen: Pen, x: float, y: float, radius: float, tyre: float, count: int) -> None:
    """Draw an open wheel: a ring and thin spokes."""
    ring = [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in (i * math.pi / 14 for i in range(29))]
    for turn in range(count):
        angle = turn * math.pi / count + 0.2
        dx, dy = radius * math.cos(angle), radius * math.sin(angle)
        pen.stroke([(x - dx, y - dy), (x + dx, y + dy)], 0.014, (150, 152, 156))
    pen.stroke(ring, tyre, RUBBER)
    pen.ellipse(x, y, 0.05, 0.05, CHROME)


def cycle(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a bicycle, motorbike, scooter, tricycle or penny-farthing."""
    {
        "bicycle": _bicycle,
        "motorbike": _motorbike,
        "scooter": _scooter,
        "tricycle": _bicycle,
        "highwheeler": _highwheeler,
    }[shape](pen, coat)
    if shape == "tricycle":
        spokes(pen, -0.82, 0.34, 0.26, 0.06, 5)
        pen.box(-1.0, -0.2, -0.3, 0.08, mix(coat.base, (150, 110, 70), 0.7))


def _bicycle(pen: Pen, coat: Coat) -> None:
    for x in (-0.58, 0.58):
        spokes(pen, x, 0.2, 0.4, 0.05, 7)
    crank, saddle, bar = (-0.06, 0.22), (-0.24, -0.28), (0.4, -0.26)
    for line in ([(-0.58, 0.2), saddle, crank, (-0.58, 0.2)], [saddle, bar, crank], [(0.58, 0.2), bar, (0.36, -0.46)]):
        pen.stroke(line, 0.06, coat.base)
    pen.stroke([(0.36, -0.46), (0.5, -0.5), (0.56, -0.42)], 0.05, DARK)
    pen.blob([(-0.4, -0.36), (-0.08, -0.36), (-0.14, -0.28), (-0.34, -0.28)], DARK)
    pen.ellipse(*crank, 0.09, 0.09, (90, 90, 94))
    pen.stroke([(-0.12, 0.36), (0.0, 0.08)], 0.04, (70, 70, 72))


def _motorbike(pen: Pen, coat: Coat) -> None:
    for x in (-0.6, 0.62):
        wheel(pen, x, 0.3, 0.3)
    pen.stroke([(0.62, 0.3), (0.36, -0.36), (0.24, -0.44)], 0.07, CHROME)
    pen.blob([(-0.3, 0.0), (0.2, 0.0), (0.26, 0.3), (-0.2, 0.36)], (86, 86, 90))
    for y in (0.06, 0.14, 0.22):
        pen.stroke([(-0.16, y), (0.14, y)], 0.03, CHROME)
    pen.blob([(-0.1, -0.2), (0.1, -0.36), (0.36, -0.3), (0.3, -0.06), (-0.1, -0.04)], coat.base)
    pen.blob([(-0.86, -0.3), (-0.5, -0.18), (-0.05, -0.16), (-0.1, -0.04), (-0.6, -0.04)], DARK)
    pen.stroke([(-0.9, 0.26), (-0.3, 0.36), (0.1, 0.36)], 0.08, CHROME)
    pen.ellipse(0.46, -0.24, 0.1, 0.1, (240, 232, 190))
    pen.stroke([(0.24, -0.44), (0.1, -0.48)], 0.06, DARK)
    pen.blob([(0.34, 0.06), (0.62, -0.06), (0.9, 0.06), (0.62, 0.0)], coat.base)


def _scooter(pen: Pen, coat: Coat) -> None:
    for x in (-0.56, 0.6):
        wheel(pen, x, 0.4, 0.2)
    pen.blob([(-0.9, 0.2), (-0.7, -0.1), (-0.2, -0.08), (-0.06, 0.3), (-0.5, 0.3), (-0.8, 0.36)], coat.base)
    pen.polygon([(-0.2, 0.34), (0.36, 0.34), (0.44, 0.42), (-0.2, 0.44)], coat.dark)
    pen.blob([(0.34, 0.36), (0.3, -0.2), (0.4, -0.4), (0.5, -0.3), (0.56, 0.1), (0.76, 0.24), (0.5, 0.32)], coat.base)
    pen.stroke([(0.38, -0.36), (0.3, -0.6), (0.16, -0.62)], 0.06, CHROME)
    pen.blob([(-0.82, -0.2), (-0.2, -0.22), (-0.16, -0.08), (-0.76, -0.08)], (70, 50, 40))
    pen.ellipse(0.42, -0.46, 0.1, 0.1, (240, 232, 190))


def _highwheeler(pen: Pen, coat: Coat) -> None:
    spokes(pen, 0.2, 0.0, 0.6, 0.05, 12)
    spokes(pen, -0.72, 0.42, 0.18, 0.05, 4)
    pen.limb([(-0.72, 0.42), (-0.6, 0.0), (-0.3, -0.48), (0.2, -0.68)], 0.07, 0.09, coat.base)
    pen.stroke([(0.2, 0.0), (0.2, -0.72)], 0.07, coat.base)
    pen.stroke([(0.06, -0.72), (0.36, -0.72)], 0.05, DARK)
    pen.blob([(-0.3, -0.64), (0.04, -0.72), (0.0, -0.6), (-0.26, -0.54)], DARK)


def boat(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a boat or ship on the water."""
    long, high = {"freighter": (1.0, 0.34), "gondola": (1.0, 0.16)}.get(shape, (0.86, 0.28))
    _rigs(pen, shape, coat, marking)
    bow = 0.34 if shape == "gondola" else 0.12
    pen.blob([(-long, 0.6 - high - bow * 0.6), (-long * 0.7, 0.6 - high), (long * 0.6, 0.6 - high),
              (long, 0.6 - high - bow), (long * 0.86, 0.52), (long * 0.6, 0.6), (-long * 0.8, 0.6),
    (-long * 0.96, 0.5)], coat.base)  # fmt: skip
    pen.polygon(
        [(-long * 0.96, 0.52), (long * 0.84, 0.52), (long * 0.7, 0.62), (-long * 0.84, 0.62)], mix(coat.base, DARK, 0.6)
    )
    pen.stroke([(-long * 0.94, 0.62 - high), (long * 0.9, 0.62 - high)], 0.03, PALE)
    for x in (-0.4, -0.1, 0.2, 0.5) if shape in ("launch", "freighter") else ():
        pen.ellipse(x, 0.44, 0.04, 0.04, DARK)


MASTS = {"sloop": ((0.05, -1.0),), "schooner": ((-0.4, -0.8), (0.2, -1.0)), "dhow": ((0.1, -0.8),)}  # x and top


def _rigs(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw everything above the hull."""
    canvas = jitter((236, 228, 210), 16, pen.rng)
    if shape in MASTS:
        _sails(pen, shape, coat, marking, canvas)
    elif shape == "gondola":
        pen.stroke([(-0.5, -0.6), (-0.1, 0.66)], 0.03, TIMBER)
        pen.blob([(-0.62, -0.1), (-0.46, -0.1), (-0.42, 0.4), (-0.66, 0.4)], coat.second)
        pen.ellipse(-0.54, -0.2, 0.08, 0.1, (224, 180, 150))
        pen.box(0.0, 0.14, 0.4, 0.44, coat.dark)
    elif shape == "launch":
        pen.polygon([(-0.5, 0.34), (-0.44, -0.12), (0.24, -0.12), (0.4, 0.34)], PALE)
        for x in (-0.36, -0.1, 0.12):
            pen.box(x, -0.02, x + 0.16, 0.16, GLASS)
        pen.stroke([(-0.2, -0.12), (-0.2, -0.6)], 0.03, TIMBER)
        pen.polygon([(-0.2, -0.6), (-0.5, -0.5), (-0.2, -0.4)], coat.second)
    else:
        _cargo(pen, coat)


def _sails(pen: Pen, shape: str, coat: Coat, marking: str, canvas: Colour) -> None:
    """Draw masts with a mainsail behind and a foresail before each."""
    for x, top in MASTS[shape]:
        pen.stroke([(x, 0.4), (x, top)], 0.05, TIMBER)
        main = [(x - 0.04, top + 0.1), (x - 0.1, 0.2), (x - 0.62, 0.2), (x - 0.3, -0.3)]
        pen.blob(main, canvas if marking == "plain" else coat.second)
        pen.blob([(x + 0.05, top + 0.1), (x + 0.3, -0.2), (x + 0.62, 0.26), (x + 0.06, 0.22)], canvas)
    mark(pen.part(0, -0.3, 0.7), marking, coat.base)


def _cargo(pen: Pen, coat: Coat) -> None:
    """Draw a bridge with a funnel, and containers."""
    pen.box(-0.8, -0.3, -0.4, 0.34, PALE)
    pen.box(-0.7, -0.6, -0.5, -0.3, coat.second)
    for i in range(3):
        pen.box(-0.76 + 0.12 * i, -0.2, -0.7 + 0.12 * i, -0.1, DARK)
    for x in (-0.3, -0.02, 0.26, 0.54):
        pen.box(x, 0.06 + 0.06 * pen.rng.randint(-1, 1), x + 0.24, 0.36, jitter((150, 90, 70), 50, pen.rng))


THIN = {"airliner": 0.13, "glider": 0.09, "biplane": 0.16, "fighter": 0.12}  # half height of the body


def plane(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw an aeroplane in the air."""
    t = THIN[shape]
    if shape == "biplane":
        pen.stroke([(0.1, -0.42), (0.2, 0.2)], 0.03, DARK)
        pen.stroke([(0.4, -0.42), (0.44, 0.2)], 0.03, DARK)
    pen.polygon([(-0.95, -0.02), (-1.0, -0.46), (-0.82, -0.46), (-0.6, -0.04)], coat.base)
    body = [(-1.0, -0.04), (-0.5, -t), (0.6, -t), (0.94, -0.02), (0.96, 0.06), (0.6, t * 1.1), (-0.4, t)]
    pen.blob(body, mix(coat.base, PALE, 0.55) if shape == "airliner" else coat.base)
    mark(pen.part(0, 0, 0.6), marking, coat.second)
    pen.polygon([(-0.98, 0.0), (-1.08, -0.12), (-0.86, -0.1), (-0.7, 0.02)], coat.dark)
    _wings(pen, shape, coat)
    pen.blob([(0.7, -0.08), (0.82, -0.06), (0.86, 0.0), (0.7, -0.01)], (50, 60, 80))


def _wings(pen: Pen, shape: str, coat: Coat) -> None:
    """Draw wings, windows, engines, and a biplane's wheels and propeller."""
    if shape == "airliner":
        for i in range(9):
            pen.ellipse(-0.5 + 0.12 * i, -0.03, 0.026, 0.03, (50, 60, 80))
        pen.polygon([(0.15, 0.04), (-0.5, 0.52), (-0.34, 0.52), (0.4, 0.06)], coat.dark)
        pen.ellipse(-0.06, 0.26, 0.14, 0.07, (120, 122, 128))
    elif shape == "fighter":
        pen.polygon([(0.3, 0.02), (-0.6, 0.42), (-0.66, 0.34), (-0.3, 0.02)], coat.dark)
        pen.blob([(0.2, -0.1), (0.34, -0.24), (0.56, -0.1)], GLASS)
    elif shape == "glider":
        pen.polygon([(0.0, -0.06), (-0.5, -0.7), (-0.42, -0.74), (0.24, -0.06)], coat.dark)
        pen.blob([(0.0, -0.12), (0.1, -0.24), (0.3, -0.24), (0.4, -0.1)], GLASS)
    else:
        pen.box(-0.1, 0.14, 0.56, 0.22, coat.dark)
        pen.blob([(0.0, -0.12), (0.1, -0.24), (0.3, -0.24), (0.4, -0.1)], GLASS)
        pen.box(-0.06, -0.48, 0.6, -0.4, coat.base)
        wheel(pen, 0.4, 0.42, 0.1)
        pen.ellipse(0.99, 0.02, 0.025, 0.36, (90, 80, 70))


def train(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a locomotive, a tram or a railcar on its rails."""
    pen.stroke([(-1.4, 0.62), (1.4, 0.62)], 0.05, (110, 100, 94))
    if shape == "steamer":
        _steamer(pen, coat)
        return
    nose = 0.16 if shape == "railcar" else 0.04
    pen.polygon([(-1.3, 0.4), (-1.3, -0.52), (1.0 - 2 * nose, -0.52), (1.0, -0.3 + nose), (1.04, 0.4)], coat.base)
    mark(pen.part(0, 0, 0.8), marking, coat.second)
    for pane in _panes(-1.26, 0.56, -0.36, -0.02, 5):
        pen.polygon(pane, GLASS)
    pen.polygon([(0.72, -0.38), (0.94 - nose, -0.38), (0.98, -0.02), (0.72, -0.02)], GLASS)
    pen.box(-1.3, 0.12, 1.03, 0.2, coat.second)
    for x in (-1.0, -0.6, 0.4, 0.8):
        wheel(pen, x, 0.48, 0.12)
    if shape == "tram":
        pen.stroke([(-0.4, -0.52), (-0.1, -0.8), (0.2, -0.52)], 0.03, DARK)
        pen.stroke([(-0.4, -0.82), (0.3, -0.82)], 0.03, DARK)
    pen.ellipse(0.97, 0.24, 0.05, 0.06, (250, 240, 190))


def _steamer(pen: Pen, coat: Coat) -> None:
    """Draw a steam engine: cab, boiler, funnel, dome, wheels and rod."""
    pen.box(-0.9, -0.56, -0.36, 0.3, coat.base)
    pen.box(-0.98, -0.64, -0.28, -0.54, DARK)
    pen.box(-0.78, -0.4, -0.5, -0.1, GLASS)
    pen.blob([(-0.4, -0.22), (0.8, -0.22), (0.86, 0.0), (0.8, 0.26), (-0.4, 0.26)], mix(coat.base, DARK, 0.5))
    pen.polygon([(0.5, -0.2), (0.46, -0.66), (0.76, -0.66), (0.7, -0.2)], DARK)
    pen.ellipse(0.1, -0.26, 0.13, 0.14, (190, 160, 80))
    for x, radius in ((-0.62, 0.26), (-0.1, 0.26), (0.38, 0.2), (0.74, 0.16)):
        wheel(pen, x, 0.6 - radius, radius)
    pen.stroke([(-0.62, 0.34), (-0.1, 0.34), (0.4, 0.4)], 0.06, CHROME)


def balloon(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a hot-air balloon or an airship."""
    if shape == "airship":
        pen.ellipse(0, -0.1, 1.0, 0.4, coat.base)
        mark(pen, marking, coat.second)
        pen.polygon([(-0.95, -0.1), (-1.1, -0.46), (-0.7, -0.36)], coat.dark)
        pen.polygon([(-0.95, -0.1), (-1.1, 0.26), (-0.7, 0.16)], coat.dark)
        pen.box(-0.2, 0.28, 0.3, 0.44, mix(coat.base, DARK, 0.6))
        return
    for side in (-1, 1):
        pen.stroke([(side * 0.4, 0.3), (side * 0.12, 0.8)], 0.02, DARK)
    pen.blob([(0, -1), (0.62, -0.8), (0.78, -0.3), (0.5, 0.2), (0.16, 0.52), (-0.16, 0.52), (-0.5, 0.2), (-0.78, -0.3),
              (-0.62, -0.8)], coat.base)  # fmt: skip
    mark(pen, marking, coat.second)
    pen.box(-0.16, 0.76, 0.16, 1.0, (150, 110, 70))
    pen.stroke([(-0.16, 0.86), (0.16, 0.86)], 0.03, DARK)
