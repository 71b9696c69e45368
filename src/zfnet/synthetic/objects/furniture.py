"""Chairs, sofas, tables, stools, benches and cupboards, in about -1..1, on y = 1."""

from zfnet.synthetic.canvas import Colour, Pen, jitter, mix
from zfnet.synthetic.objects.coats import DARK, PALE, Coat, mark

WOOD, KNOB = (146, 104, 66), (196, 198, 202)


def furniture(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a piece of furniture of some wood."""
    timber = jitter(WOOD, 34, pen.rng)
    if shape in ("sofa", "bench"):
        _seat(pen, shape == "sofa", coat, timber, marking)
    elif shape in ("table", "stool"):
        _table(pen, shape == "table", coat, timber)
    elif shape == "cupboard":
        _cupboard(pen, coat, timber)
    else:
        _chair(pen, coat, timber)


def _seat(pen: Pen, soft: bool, coat: Coat, timber: Colour, marking: str) -> None:
    """Draw a sofa, or a bench without arms and cloth."""
    colour = coat.base if soft else timber
    for x in (-0.85, 0.78):
        pen.box(x, 0.5, x + 0.1, 0.8, mix(timber, DARK, 0.3))
    back = [(-0.9, -0.2), (-0.8, -0.34), (0.8, -0.34), (0.9, -0.2), (0.88, 0.4), (-0.88, 0.4)]
    pen.blob(back, mix(colour, DARK, 0.15))
    mark(pen.part(0, 0.1, 0.7), marking, coat.second)
    pen.blob([(-0.82, 0.16), (0.82, 0.16), (0.86, 0.5), (-0.86, 0.5)], mix(colour, PALE, 0.12))
    pen.stroke([(0, 0.16), (0, 0.5)], 0.03, mix(colour, DARK, 0.5))
    for side in (-1, 1) if soft else ():
        pen.blob([(side * 0.76, 0.0), (side * 1.02, 0.0), (side * 1.02, 0.62), (side * 0.78, 0.62)], colour)


def _table(pen: Pen, laid: bool, coat: Coat, timber: Colour) -> None:
    """Draw a laid table, or a stool: a small one."""
    top, half, leg = (0.05, 1.0, 0.8) if laid else (0.2, 0.5, 0.36)
    for x in (-leg, leg):
        pen.limb([(x * 0.96, top), (x * 1.1, 0.98)], 0.13, 0.08, mix(timber, DARK, 0.25))
        pen.limb([(x * 0.6, top), (x * 0.66, 0.84)], 0.1, 0.06, mix(timber, DARK, 0.5))
    board = [(-half, top), (-half * 0.8, top - 0.22), (half * 0.8, top - 0.22), (half, top)]
    pen.polygon(board, mix(coat.base, timber, 0.5))
    pen.box(-half, top, half, top + 0.1, mix(timber, DARK, 0.15))
    if laid:
        for x in (-0.5, 0.1, 0.5):
            pen.ellipse(x, top - 0.14, 0.16, 0.05, PALE)
        pen.box(-0.2, top - 0.4, -0.1, top - 0.1, coat.second)


def _cupboard(pen: Pen, coat: Coat, timber: Colour) -> None:
    pen.box(-0.7, -0.9, 0.7, 0.94, timber)
    for side in (-1, 1):
        door = [(side * 0.06, -0.8), (side * 0.62, -0.8), (side * 0.62, 0.8), (side * 0.06, 0.8)]
        pen.polygon(door, mix(coat.base, timber, 0.4))
        pen.ellipse(side * 0.14, 0.0, 0.04, 0.05, KNOB)


def _chair(pen: Pen, coat: Coat, timber: Colour) -> None:
    for x in (-0.5, 0.44):
        pen.box(x, 0.1, x + 0.08, 0.84, mix(timber, DARK, 0.45))
    for x in (-0.5, 0.42):
        pen.limb([(x, -0.95), (x * 1.04, 0.2)], 0.1, 0.1, timber)
    for y in (-0.82, -0.5, -0.2):
        pen.box(-0.5, y, 0.42, y + 0.14, mix(timber, PALE, 0.1))
    pen.polygon([(-0.52, 0.08), (0.46, 0.08), (0.62, 0.32), (-0.66, 0.32)], coat.base)
    for x in (-0.62, 0.5):
        pen.box(x, 0.32, x + 0.1, 1.0, timber)
