"""Mammals: the face from the front, the whole beast from the side; and people.

Coordinates: the face's centre is (0, 0) and its half width about 0.8; beasts and people stand on y = 1.
"""

import math
from typing import NamedTuple

from zfnet.synthetic.canvas import Colour, Pen, mix
from zfnet.synthetic.objects.coats import DARK, PALE, Coat, mark

KEY_POINTS = ("left_eye", "right_eye", "nose", "left_ear", "right_ear")  # left and right are the animal's own


class Face(NamedTuple):
    """Proportions of a face, in half widths of a plain one."""

    ears: str  # pointed, round, floppy, long
    ear: float  # their size
    width: float
    height: float
    muzzle: float  # half width
    snout: float  # how far below the centre the nose is
    nose: float
    eye: float
    iris: Colour = (96, 60, 30)
    whiskers: bool = False
    tongue: bool = False


FACES = {
    "hound": Face("floppy", 1.0, 0.70, 0.86, 0.38, 0.40, 0.17, 0.110, tongue=True),
    "fox": Face("pointed", 0.9, 0.80, 0.74, 0.24, 0.46, 0.10, 0.095, (150, 96, 30)),
    "bear": Face("round", 0.8, 0.84, 0.82, 0.36, 0.34, 0.16, 0.075),
    "hare": Face("long", 1.0, 0.62, 0.74, 0.26, 0.34, 0.08, 0.125, whiskers=True),
    "lynx": Face("pointed", 1.1, 0.86, 0.72, 0.30, 0.26, 0.09, 0.120, (196, 170, 60), whiskers=True),
    "boar": Face("pointed", 0.6, 0.74, 0.86, 0.34, 0.50, 0.30, 0.070),
    "lemur": Face("round", 0.7, 0.76, 0.70, 0.22, 0.34, 0.08, 0.190, (214, 140, 40)),
    "cat": Face("pointed", 0.75, 0.82, 0.70, 0.26, 0.22, 0.07, 0.135, (120, 170, 80), whiskers=True),
    "dog": Face("floppy", 0.75, 0.74, 0.80, 0.32, 0.36, 0.14, 0.105, tongue=True),
    "cougar": Face("round", 0.6, 0.80, 0.78, 0.34, 0.30, 0.13, 0.085, (180, 150, 70), whiskers=True),
    "panda": Face("round", 0.9, 0.90, 0.78, 0.30, 0.34, 0.12, 0.080),
    "koala": Face("round", 1.3, 0.78, 0.74, 0.18, 0.24, 0.22, 0.070),
}


def face(pen: Pen, shape: str, coat: Coat, marking: str) -> dict[str, tuple[float, float]]:
    """Draw a face seen from the front, with the chest below it; return the pixel coordinates of its KEY_POINTS."""
    rng, form = pen.rng, FACES[shape]
    yaw, size = rng.uniform(-0.14, 0.14), form._replace(ear=form.ear * rng.uniform(0.88, 1.12))
    pen.blob([(-0.5, 0.4), (0.5, 0.4), (0.95, 1.5), (1.0, 2.6), (-1.0, 2.6), (-0.95, 1.5)], mix(coat.base, DARK, 0.12))
    hanging = form.ears == "floppy"
    if not hanging:
        ears = [_ear(pen, size, side, coat) for side in (-1, 1)]
    w, h = form.width * rng.uniform(0.94, 1.06), form.height
    pen.blob([(0, -h), (w * 0.72, -h * 0.72), (w, -0.05), (w * 0.66, h * 0.66), (0, h), *_mirrored(w, h)], coat.base)
    mark(pen, "spotted" if marking == "patched" and rng.random() < 0.2 else marking, coat.second, 1.05)
    if hanging:
        ears = [_ear(pen, size, side, coat) for side in (-1, 1)]
    _muzzle(pen, form, coat, yaw)
    eyes = [_eye(pen, form, side * form.width * 0.45 + yaw * 0.6, -0.14, coat, shape == "panda") for side in (-1, 1)]
    nose = _nose(pen, form, yaw)
    return dict(zip(KEY_POINTS, (eyes[1], eyes[0], nose, ears[1], ears[0]), strict=True))


def _mirrored(w: float, h: float) -> list[tuple[float, float]]:
    return [(-w * 0.66, h * 0.66), (-w, -0.05), (-w * 0.72, -h * 0.72)]


def _ear(pen: Pen, form: Face, side: int, coat: Coat) -> tuple[float, float]:
    """Draw one ear; return the pixel coordinates of its centre."""
    w, h, e = form.width * side, form.height, form.ear
    inner = mix(coat.base, (214, 150, 140), 0.6)
    if form.ears == "pointed":
        top = (w * 0.98, -h * 0.5 - 0.75 * e)
        pen.polygon([(w * 0.1, -h * 0.8), top, (w * 1.02, -h * 0.2)], coat.base)
        pen.polygon([(w * 0.4, -h * 0.78), (w * 0.93, -h * 0.5 - 0.58 * e), (w * 0.92, -h * 0.4)], inner)
        return pen.where(w * 0.8, -h * 0.5 - 0.2 * e)
    if form.ears == "round":
        x, y = w * 0.78, -h * 0.74
        pen.ellipse(x, y, 0.36 * e, 0.36 * e, coat.dark)
        pen.ellipse(x, y, 0.21 * e, 0.22 * e, inner)
        return pen.where(x, y)
    if form.ears == "long":
        x, y, tilt = w * 0.5, -h - 0.5 * e, side * pen.rng.uniform(0.05, 0.35)
        pen.ellipse(x, y, 0.2 * e, 0.72 * e, coat.base, tilt)
        pen.ellipse(x, y, 0.1 * e, 0.55 * e, inner, tilt)
        return pen.where(x, y)
    low = h * pen.rng.uniform(0.35, 0.6) * e
    pen.blob(
        [(w * 0.5, -h * 0.82), (w * 1.1, -h * 0.6), (w * 1.3, low), (w * 1.02, low * 1.15), (w * 0.8, -0.1)], coat.dark
    )
    return pen.where(w * 1.05, (low - 0.6 * h) / 2)


def _muzzle(pen: Pen, form: Face, coat: Coat, yaw: float) -> None:
    """Draw the paler muzzle, the mouth, perhaps whiskers and a tongue."""
    x, y, m = yaw, form.snout, form.muzzle
    pale = mix(coat.pale, coat.base, 0.25)
    pen.ellipse(x, y + 0.5 * m, m * 1.05, m * 0.95, pale)
    pen.blob([(x * 0.6, -0.3), (x + m * 0.5, y), (x, y + 0.3), (x - m * 0.5, y)], mix(coat.base, pale, 0.55))
    line, mouth = mix(DARK, coat.base, 0.15), y + 0.62 * m + form.nose * 0.5
    if form.tongue and pen.rng.random() < 0.6:
        pen.blob(
            [(x - 0.1, mouth), (x + 0.12, mouth), (x + 0.1, mouth + 0.34), (x - 0.1, mouth + 0.34)], (206, 96, 104)
        )
    pen.stroke([(x, y), (x, mouth)], 0.035, line)
    pen.stroke([(x - 0.7 * m, mouth - 0.05), (x - 0.3 * m, mouth + 0.07), (x, mouth)], 0.04, line)
    pen.stroke([(x + 0.7 * m, mouth - 0.05), (x + 0.3 * m, mouth + 0.07), (x, mouth)], 0.04, line)
    if form.whiskers:
        for side in (-1, 1):
            for lift in (-0.12, 0.02, 0.16):
                pen.stroke([(x + side * 0.5 * m, y + 0.3 * m + lift * 0.4), (x + side * 0.95, y + lift)], 0.016, PALE)


def _eye(pen: Pen, form: Face, x: float, y: float, coat: Coat, patch: bool) -> tuple[float, float]:
    """Draw one eye with iris, pupil and glint; return its pixel coordinates."""
    e = form.eye
    pen.ellipse(x, y, e * (2.1 if patch else 1.35), e * (2.6 if patch else 1.25), DARK if patch else coat.dark)
    pen.ellipse(x, y, e, e, form.iris)
    pen.ellipse(x, y, e * 0.58, e * 0.7, (14, 12, 14))
    pen.ellipse(x - 0.3 * e, y - 0.35 * e, e * 0.26, e * 0.26, (250, 250, 250))
    return pen.where(x, y)


def _nose(pen: Pen, form: Face, yaw: float) -> tuple[float, float]:
    """Draw the nose with its highlight; return its pixel coordinates."""
    x, y, n = yaw, form.snout, form.nose
    dark = (44, 34, 36) if form.nose < 0.28 else (176, 112, 110)
    pen.blob([(x - n, y - 0.5 * n), (x, y - 0.75 * n), (x + n, y - 0.5 * n), (x + 0.5 * n, y + 0.5 * n),
              (x, y + 0.75 * n), (x - 0.5 * n, y + 0.5 * n)], dark)  # fmt: skip
    pen.ellipse(x - 0.3 * n, y - 0.3 * n, 0.22 * n, 0.12 * n, mix(dark, PALE, 0.5))
    return pen.where(x, y)


class Beast(NamedTuple):
    """Proportions of a four-legged animal from the side, in body lengths of about 1.5."""

    deep: float  # half height of the body
    leg: float  # length
    thick: float  # of the legs
    neck: float  # length
    rise: float  # angle of the neck, 0 level, 1 upright
    head: float
    snout: float
    ears: str = "pointed"  # pointed, round, floppy, long
    horns: str = ""  # "", short, curved, antlers
    tail: float = 0.6
    bushy: float = 0.08
    hump: float = 0.0
    mane: bool = False
    wool: bool = False


BEASTS = {
    "antelope": Beast(0.30, 0.90, 0.11, 0.45, 0.75, 0.20, 0.24, horns="curved", tail=0.25),
    "goat": Beast(0.36, 0.66, 0.13, 0.30, 0.60, 0.22, 0.24, "floppy", horns="curved", tail=0.2),
    "boar": Beast(0.46, 0.42, 0.15, 0.10, 0.10, 0.30, 0.34, tail=0.25, bushy=0.04),
    "camel": Beast(0.38, 0.90, 0.13, 0.60, 0.55, 0.21, 0.26, "round", hump=0.4, tail=0.5),
    "bear": Beast(0.46, 0.46, 0.26, 0.10, 0.20, 0.31, 0.26, "round", tail=0.08),
    "wolf": Beast(0.30, 0.64, 0.14, 0.24, 0.45, 0.24, 0.30, tail=0.7, bushy=0.22),
    "donkey": Beast(0.36, 0.76, 0.13, 0.38, 0.60, 0.24, 0.32, "long", tail=0.6, bushy=0.07),
    "horse": Beast(0.35, 0.92, 0.14, 0.56, 0.70, 0.24, 0.34, tail=0.8, bushy=0.16, mane=True),
    "cow": Beast(0.44, 0.64, 0.15, 0.28, 0.30, 0.28, 0.30, "floppy", horns="short", tail=0.7, bushy=0.06),
    "sheep": Beast(0.48, 0.40, 0.11, 0.14, 0.45, 0.24, 0.22, "floppy", tail=0.15, wool=True),
    "dog": Beast(0.28, 0.56, 0.13, 0.22, 0.70, 0.26, 0.26, "floppy", tail=0.5, bushy=0.1),
    "cat": Beast(0.27, 0.44, 0.12, 0.12, 0.70, 0.27, 0.10, tail=0.9, bushy=0.1),
    "deer": Beast(0.31, 0.88, 0.10, 0.44, 0.80, 0.20, 0.24, "long", horns="antlers", tail=0.16),
    "zebra": Beast(0.37, 0.74, 0.14, 0.46, 0.62, 0.23, 0.32, "round", tail=0.6, bushy=0.07, mane=True),
}


def beast(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw the whole animal from the side, standing or walking, head to the right."""
    rng, form = pen.rng, BEASTS[shape]
    back = 1 - form.leg - 2 * form.deep
    middle = back + form.deep
    for x in (-0.42, 0.52):  # the far legs, in the body's shade
        _leg(pen, form, x + rng.uniform(-0.04, 0.04), middle, rng.uniform(-0.16, 0.16), coat.dark)
    _tail(pen, form, middle, coat)
    neck = _neck(pen, form, middle, coat)
    d = form.deep
    pen.blob([(-0.78, middle - 0.5 * d), (-0.5, back), (0.1 - form.hump, back + 0.05 - form.hump), (0.35, back + 0.04),
              (0.74, middle - 0.6 * d), (0.78, middle + 0.2 * d), (0.4, middle + d), (-0.3, middle + 0.85 * d),
              (-0.74, middle + 0.5 * d)], coat.base)  # fmt: skip
    for x in (-0.58, 0.6):
        _leg(pen, form, x, middle, rng.uniform(-0.16, 0.16), coat.base)
    if form.wool:
        for i in range(12):
            angle = i * math.pi / 6
            pen.ellipse(0.74 * math.cos(angle), middle + d * math.sin(angle) * 0.9, 0.18, 0.18, coat.base)
    mark(pen, marking, coat.second, 0.8)
    _head(pen.part(*neck, angle=rng.uniform(-0.25, 0.3)), form, coat, marking)


def _leg(pen: Pen, form: Beast, x: float, middle: float, swing: float, colour: Colour) -> None:
    """Draw a leg with a knee and a dark hoof or paw."""
    knee = (x + swing, (middle + 1) / 2 + 0.12)
    foot = (x + swing * 1.4 + 0.02, 0.97)
    pen.limb([(x, middle), knee, foot], form.thick * 1.9, form.thick * 0.75, colour)
    pen.ellipse(foot[0] + 0.03, 0.97, form.thick * 0.6, form.thick * 0.34, mix(colour, DARK, 0.6))


def _tail(pen: Pen, form: Beast, middle: float, coat: Coat) -> None:
    lift = pen.rng.uniform(-0.3, 0.5) if form.tail < 0.75 else pen.rng.uniform(0.1, 0.5)
    y = middle - 0.6 * form.deep
    tip = (-0.8 - 0.45 * form.tail, y + lift * form.tail * 1.3)
    pen.limb([(-0.7, y), (-0.78 - 0.3 * form.tail, y + 0.1 * lift), tip], 0.1, form.bushy + 0.02, coat.base)
    if form.bushy > 0.05:
        pen.ellipse(*tip, form.bushy * 0.6, form.bushy * 1.1, coat.dark, 0.5)


def _neck(pen: Pen, form: Beast, middle: float, coat: Coat) -> tuple[float, float]:
    """Draw the neck; return where it ends."""
    angle = form.rise * math.pi / 2
    start = (0.6, middle - 0.35 * form.deep)
    end = (start[0] + form.neck * math.cos(angle) + 0.1, start[1] - form.neck * math.sin(angle) - 0.12)
    pen.limb(
        [start, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), end], form.deep * 1.2, form.head * 1.15, coat.base
    )
    if form.mane:
        pen.limb([(start[0] - 0.14, start[1] - 0.14), (end[0] - 0.24, end[1] - 0.1)], 0.16, 0.18, coat.dark)
    return end


def _head(pen: Pen, form: Beast, coat: Coat, marking: str) -> None:
    """Draw the head from the side: horns, ears, snout, eye, mouth."""
    h, s = form.head, form.snout
    bone = (206, 196, 170)
    if form.horns == "curved":
        pen.limb([(0, -h * 0.7), (-0.1, -h - 0.24), (-0.3, -h - 0.34)], 0.09, 0.03, mix(bone, DARK, 0.3))
    elif form.horns == "short":
        pen.limb([(0, -h * 0.7), (0.06, -h - 0.1), (0.16, -h - 0.16)], 0.08, 0.03, bone)
    elif form.horns == "antlers":
        for lean in (-0.2, 0.1):
            pen.stroke([(0, -h * 0.7), (lean, -h - 0.3), (lean + 0.12, -h - 0.6)], 0.05, bone)
            pen.stroke([(lean, -h - 0.3), (lean - 0.2, -h - 0.46)], 0.04, bone)
    pen.blob([(-h, -0.1), (-h * 0.3, -h), (h * 0.6, -h * 0.62), (h + s, h * 0.1), (h + s, h * 0.62), (h * 0.5, h * 0.8),
              (-h * 0.5, h * 0.9)], coat.base)  # fmt: skip
    if marking == "patched":
        pen.ellipse(0, -0.1, h * 0.6, h * 0.8, coat.second)
    pen.ellipse(h + s * 0.7, h * 0.35, s * 0.42, h * 0.38, mix(coat.base, DARK if sum(coat.base) > 330 else PALE, 0.4))
    pen.ellipse(h + s * 0.95, h * 0.2, 0.04, 0.03, DARK)
    pen.stroke([(h + s * 0.95, h * 0.5), (h + s * 0.3, h * 0.55)], 0.03, DARK)
    pen.ellipse(h * 0.42, -h * 0.2, 0.055, 0.055, (20, 16, 16))
    pen.ellipse(h * 0.46, -h * 0.26, 0.018, 0.018, (245, 245, 245))
    _side_ear(pen, form, coat)


def _side_ear(pen: Pen, form: Beast, coat: Coat) -> None:
    h = form.head
    if form.ears == "floppy":
        pen.blob([(-h * 0.5, -h * 0.7), (-h * 0.05, -h * 0.6), (-h * 0.1, h * 0.5), (-h * 0.6, h * 0.5)], coat.dark)
    elif form.ears == "round":
        pen.ellipse(-h * 0.35, -h * 0.85, h * 0.32, h * 0.34, coat.dark)
    else:
        tall = h * (1.5 if form.ears == "long" else 0.85)
        pen.polygon([(-h * 0.7, -h * 0.5), (-h * 0.6, -h * 0.6 - tall), (0, -h * 0.75)], coat.dark)


SKINS = ((236, 196, 168), (204, 152, 116), (150, 104, 76), (104, 72, 56))


def person(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a person standing or walking, in a shirt of the coat's colour."""
    rng = pen.rng
    skin, hair = rng.choice(SKINS), rng.choice(((40, 30, 26), (96, 64, 40), (190, 150, 90), (150, 146, 142)))
    trousers = rng.choice(((52, 60, 88), (70, 66, 62), (120, 108, 88), (34, 34, 40)))
    stride = rng.uniform(0.02, 0.2)
    for side in (-1, 1):
        pen.limb([(0.1 * side, 0.1), (side * stride * 0.8, 0.55), (side * (stride + 0.04), 0.96)], 0.24, 0.13, trousers)
        pen.ellipse(side * (stride + 0.06) + 0.03, 0.97, 0.1, 0.045, DARK)
    pen.blob(
        [(-0.2, -0.5), (0, -0.55), (0.2, -0.5), (0.23, -0.1), (0.18, 0.22), (-0.18, 0.22), (-0.23, -0.1)], coat.base
    )
    mark(pen.part(0, -0.15, 0.3), marking, coat.second)
    for side in (-1, 1):
        hand = (side * rng.uniform(0.2, 0.5), rng.uniform(-0.2, 0.22))
        elbow = (side * 0.34, -0.16)
        pen.limb([(side * 0.2, -0.45), elbow, hand], 0.14, 0.09, mix(coat.base, DARK, 0.12))
        pen.ellipse(*hand, 0.055, 0.06, skin)
    pen.box(-0.06, -0.66, 0.06, -0.5, mix(skin, DARK, 0.2))
    pen.ellipse(0, -0.82, 0.19, 0.2, hair)
    pen.ellipse(0, -0.77, 0.145, 0.18, skin)
    pen.blob([(-0.15, -0.82), (0, -1.0), (0.15, -0.82), (0, -0.88)], hair)
    for side in (-1, 1):
        pen.ellipse(0.06 * side, -0.79, 0.022, 0.02, DARK)
    pen.stroke([(-0.05, -0.69), (0.05, -0.69)], 0.02, (150, 70, 70))
