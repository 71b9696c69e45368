"""Buildings, in about -1..1, on y = 1."""

from zfnet.synthetic.canvas import Colour, Pen, mix
from zfnet.synthetic.objects.coats import DARK, PALE, Coat, mark

SLATE, PANE, DOOR = (96, 88, 92), (74, 92, 112), (92, 60, 44)


def building(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a house, a tower or the like from the front."""
    _SHAPES[shape](pen, coat, marking)


def _windows(
    pen: Pen, left: float, right: float, top: float, bottom: float, columns: int, rows: int, frame: Colour
) -> None:
    """Draw a grid of windows with frames."""
    w, h = (right - left) / columns, (bottom - top) / rows
    for row in range(rows):
        for column in range(columns):
            x, y = left + w * (column + 0.5), top + h * (row + 0.5)
            pen.box(x - w * 0.34, y - h * 0.36, x + w * 0.34, y + h * 0.36, frame)
            pen.box(x - w * 0.26, y - h * 0.28, x + w * 0.26, y + h * 0.28, PANE)
            pen.stroke([(x, y - h * 0.28), (x, y + h * 0.28)], 0.02, frame)


def _cottage(pen: Pen, coat: Coat, marking: str) -> None:
    pen.box(0.4, -0.95, 0.6, -0.3, mix(coat.base, DARK, 0.3))
    pen.box(-0.85, -0.1, 0.85, 1.0, coat.base)
    mark(pen.part(0, 0.4), marking, coat.second)
    pen.polygon([(-1.0, -0.05), (-0.6, -0.75), (0.6, -0.75), (1.0, -0.05)], mix(coat.second, SLATE, 0.6))
    _windows(pen, -0.8, -0.2, 0.1, 0.6, 2, 1, PALE)
    _windows(pen, 0.3, 0.8, 0.1, 0.6, 1, 1, PALE)
    pen.box(-0.12, 0.3, 0.2, 1.0, DOOR)
    pen.ellipse(0.14, 0.68, 0.025, 0.025, PALE)


def _barn(pen: Pen, coat: Coat, marking: str) -> None:
    pen.polygon([(-0.8, 1), (-0.8, -0.1), (-0.55, -0.6), (0, -0.9), (0.55, -0.6), (0.8, -0.1), (0.8, 1)], coat.base)
    mark(pen.part(0, 0.2), marking, coat.second)
    pen.stroke([(-0.92, 0.0), (-0.58, -0.64), (0, -0.96), (0.58, -0.64), (0.92, 0.0)], 0.1, SLATE)
    pen.box(-0.36, 0.3, 0.36, 1, PALE)
    pen.box(-0.3, 0.36, 0.3, 1, coat.dark)
    for side in (-1, 1):
        pen.stroke([(side * 0.3, 0.36), (-side * 0.3, 1)], 0.05, PALE)
    pen.box(-0.14, -0.4, 0.14, -0.1, PANE)


def _castle(pen: Pen, coat: Coat, marking: str) -> None:
    stone = mix(coat.base, (150, 146, 138), 0.35)
    pen.box(-0.6, -0.1, 0.6, 1, stone)
    for i in range(5):
        pen.box(-0.56 + 0.24 * i, -0.24, -0.42 + 0.24 * i, -0.08, stone)
    for side in (-1, 1):
        x = side * 0.72
        pen.box(x - 0.22, -0.5, x + 0.22, 1, mix(stone, PALE, 0.12))
        mark(pen.part(x, 0.2, 0.6), marking, coat.second)
        pen.polygon([(x - 0.3, -0.48), (x, -1.0), (x + 0.3, -0.48)], coat.second)
        for y in (-0.2, 0.3):
            pen.box(x - 0.05, y, x + 0.05, y + 0.22, DARK)
    pen.ellipse(0, 0.55, 0.2, 0.2, DARK)
    pen.box(-0.2, 0.55, 0.2, 1, DARK)


def _tower(pen: Pen, coat: Coat, marking: str) -> None:
    pen.box(-0.5, -0.9, 0.5, 1, coat.base)
    mark(pen, marking, mix(coat.base, coat.second, 0.5))
    _windows(pen, -0.48, 0.48, -0.85, 0.7, 4, 7, mix(coat.base, PALE, 0.4))
    pen.box(-0.56, -0.98, 0.56, -0.88, coat.dark)
    pen.box(-0.16, 0.75, 0.16, 1, DOOR)


def _church(pen: Pen, coat: Coat, marking: str) -> None:
    pen.box(-0.2, -0.1, 0.95, 1, coat.base)
    pen.polygon([(-0.2, -0.08), (-0.05, -0.5), (0.8, -0.5), (1.0, -0.08)], SLATE)
    pen.box(-0.75, -0.5, -0.15, 1, mix(coat.base, PALE, 0.15))
    mark(pen.part(0, 0.2), marking, coat.second)
    pen.polygon([(-0.82, -0.48), (-0.45, -1.2), (-0.08, -0.48)], coat.second)
    pen.ellipse(-0.45, -0.2, 0.14, 0.14, PALE)
    for x in (0.15, 0.5, 0.8):
        pen.ellipse(x, 0.2, 0.09, 0.12, PANE)
        pen.box(x - 0.09, 0.2, x + 0.09, 0.6, PANE)
    pen.box(-0.58, 0.5, -0.32, 1, DOOR)


def _pagoda(pen: Pen, coat: Coat, marking: str) -> None:
    for i, half in enumerate((0.72, 0.58, 0.44, 0.3)):
        y = 1 - 0.46 * i
        pen.box(-half * 0.7, y - 0.4, half * 0.7, y, mix(coat.base, PALE, 0.3))
        _windows(pen, -half * 0.65, half * 0.65, y - 0.3, y - 0.02, 3, 1, coat.dark)
        pen.blob(
            [
                (-half * 1.25, y - 0.36),
                (-half * 0.7, y - 0.52),
                (half * 0.7, y - 0.52),
                (half * 1.25, y - 0.36),
                (0, y - 0.4),
            ],
            coat.base,
        )
    pen.stroke([(0, -0.9), (0, -1.2)], 0.05, coat.dark)


def _lighthouse(pen: Pen, coat: Coat, marking: str) -> None:
    pen.polygon([(-0.4, 1), (-0.22, -0.6), (0.22, -0.6), (0.4, 1)], PALE)
    mark(pen, "banded", coat.base, 0.8)
    pen.box(-0.3, -0.66, 0.3, -0.58, DARK)
    pen.box(-0.17, -0.9, 0.17, -0.66, (250, 232, 150))
    pen.blob([(-0.22, -0.88), (0, -1.12), (0.22, -0.88)], coat.base)
    pen.box(-0.1, 0.7, 0.1, 1, DOOR)


def _windmill(pen: Pen, coat: Coat, marking: str) -> None:
    pen.polygon([(-0.45, 1), (-0.26, -0.3), (0.26, -0.3), (0.45, 1)], coat.base)
    pen.blob([(-0.3, -0.28), (0, -0.62), (0.3, -0.28)], coat.dark)
    pen.box(-0.12, 0.62, 0.12, 1, DOOR)
    sails = pen.part(0, -0.3, 1.0, pen.rng.uniform(0, 1.5))
    for turn in range(4):
        sail = sails.part(0, 0, 1.0, turn * 1.5708)
        sail.stroke([(0, 0), (0, -0.95)], 0.04, DARK)
        sail.box(0.02, -0.92, 0.2, -0.25, PALE)
        for y in (-0.8, -0.6, -0.4):
            sail.stroke([(0, y), (0.2, y)], 0.02, DARK)


_SHAPES = {
    "cottage": _cottage,
    "barn": _barn,
    "castle": _castle,
    "tower": _tower,
    "church": _church,
    "pagoda": _pagoda,
    "lighthouse": _lighthouse,
    "windmill": _windmill,
}
