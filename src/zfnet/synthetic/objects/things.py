"""Made things: vessels, screens, keyboards, signs, dials, tools, balls; in about -1..1, on y = 1."""

import math

from zfnet.synthetic.canvas import Colour, Pen, jitter, mix
from zfnet.synthetic.objects.coats import DARK, PALE, Coat, mark

WOOD, STEEL, CHROME = (146, 104, 66), (150, 154, 160), (196, 198, 202)

# Half widths of a vessel from its mouth (y = -1) down to its foot (y = 1).
PROFILES = {
    "vase": (0.30, 0.22, 0.34, 0.54, 0.60, 0.50, 0.34, 0.30),
    "jug": (0.34, 0.28, 0.32, 0.46, 0.56, 0.56, 0.48, 0.40),
    "goblet": (0.48, 0.50, 0.48, 0.38, 0.10, 0.08, 0.10, 0.38),
    "teapot": (0.12, 0.26, 0.46, 0.60, 0.66, 0.64, 0.54, 0.36),
    "lantern": (0.10, 0.40, 0.44, 0.40, 0.40, 0.40, 0.44, 0.48),
    "bottle": (0.12, 0.12, 0.13, 0.26, 0.30, 0.30, 0.30, 0.28),
    "mug": (0.48, 0.48, 0.48, 0.48, 0.48, 0.48, 0.47, 0.42),
    "ewer": (0.22, 0.14, 0.16, 0.34, 0.44, 0.36, 0.14, 0.34),
}


def vessel(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a rotationally symmetric vessel, perhaps with a handle, a spout or a lid."""
    squat = {"mug": 0.55, "teapot": 0.6}.get(shape, 1.0)
    profile = PROFILES[shape]
    rows = [1 - (1 - (2 * i / (len(profile) - 1) - 1)) * squat for i in range(len(profile))]
    if shape in ("jug", "mug", "ewer", "teapot"):
        y, reach = rows[3], max(profile[2:5])
        ring = [
            (-reach * 0.9 - 0.3 * math.sin(a), y + 0.36 * squat * math.cos(a))
            for a in (i * math.pi / 8 for i in range(9))
        ]
        pen.stroke(ring, 0.1, coat.dark)
    if shape == "teapot":
        pen.limb([(0.5, 0.4), (0.8, 0.2), (0.95, -0.1)], 0.28, 0.1, coat.base)
        pen.ellipse(0, rows[0] - 0.05, 0.09, 0.09, coat.dark)
    right = list(zip(profile, rows, strict=True))
    pen.polygon(right + [(-x, y) for x, y in right[::-1]], coat.base)
    pen.ellipse(0, 1 - 0.02, profile[-1], 0.07, coat.base)
    mark(pen.part(0, 0.3, 0.62), marking, coat.second)
    pen.ellipse(0, rows[0], profile[0], 0.1 * squat + 0.02, mix(coat.dark, DARK, 0.5))
    gleam = profile[4] * 0.45
    pen.limb([(-gleam, rows[2]), (-gleam * 1.15, rows[4]), (-gleam, rows[6])], 0.07, 0.04, mix(coat.base, PALE, 0.75))
    if shape == "lantern":
        pen.box(-0.26, -0.3, 0.26, 0.5, (250, 220, 130))
        pen.stroke([(0, -0.3), (0, 0.5)], 0.05, coat.dark)
    if shape == "bottle":
        pen.box(-0.3, 0.1, 0.3, 0.62, jitter((226, 214, 180), 24, pen.rng))
        pen.box(-0.14, -1.06, 0.14, -0.9, mix(coat.second, DARK, 0.3))


def screen(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a monitor, a laptop or a radio."""
    case = mix(coat.base, (60, 60, 64), 0.6)
    if shape == "radio":
        _radio(pen, coat)
        return
    low = 0.55 if shape == "monitor" else 0.4
    if shape == "monitor":
        pen.polygon([(-0.12, low), (0.12, low), (0.4, 0.95), (-0.4, 0.95)], mix(case, DARK, 0.2))
    pen.box(-0.95, -0.75, 0.95, low, case)
    glow = pen.rng.choice(((60, 110, 170), (90, 150, 120), (40, 44, 52), (190, 200, 210), (150, 90, 70)))
    pen.box(-0.84, -0.64, 0.84, low - 0.12, glow)
    for _ in range(4):
        x, y = pen.rng.uniform(-0.7, 0.4), pen.rng.uniform(-0.5, low - 0.4)
        pen.box(x, y, x + pen.rng.uniform(0.1, 0.35), y + pen.rng.uniform(0.05, 0.2), jitter(glow, 80, pen.rng))
    pen.polygon([(-0.84, -0.64), (-0.3, -0.64), (-0.6, low - 0.12), (-0.84, low - 0.12)], mix(glow, PALE, 0.14))
    if shape == "laptop":
        pen.polygon([(-0.95, low), (0.95, low), (1.15, 0.85), (-1.15, 0.85)], mix(case, PALE, 0.25))
        for row in range(3):
            for column in range(9):
                x, y = -0.85 + 0.19 * column, low + 0.08 + 0.11 * row
                pen.box(x, y, x + 0.14, y + 0.07, (50, 50, 54))


def _radio(pen: Pen, coat: Coat) -> None:
    """Draw a loudspeaker, a scale and two knobs."""
    pen.stroke([(0.5, -0.5), (0.8, -1.0)], 0.03, CHROME)
    pen.box(-0.95, -0.55, 0.95, 0.6, coat.base)
    pen.ellipse(-0.45, 0.05, 0.38, 0.42, (44, 42, 44))
    for y in (-0.2, -0.05, 0.1, 0.25):
        pen.stroke([(-0.75, y), (-0.15, y)], 0.04, STEEL)
    pen.box(0.1, -0.4, 0.8, -0.1, (230, 214, 160))
    for x in (0.25, 0.62):
        pen.ellipse(x, 0.25, 0.14, 0.14, CHROME)


MESHES = {
    "abacus": (6, 9),
    "crossword": (8, 8),
    "grille": (5, 5),
    "keyboard": (4, 11),
    "calculator": (6, 4),
    "chessboard": (8, 8),
}


def mesh(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a thing made of rows and columns: a keyboard, board, abacus or grille."""
    rows, columns = MESHES[shape]
    wide, tall = {"keyboard": (1.1, 0.44), "calculator": (0.6, 0.95)}.get(shape, (0.9, 0.9))
    pen.box(-wide - 0.06, -tall - 0.06, wide + 0.06, tall + 0.06, coat.dark if shape != "keyboard" else coat.base)
    step_x, step_y = 2 * wide / columns, 2 * tall / rows
    for row in range(rows):
        if shape == "abacus":
            y = -tall + step_y * (row + 0.5)
            pen.stroke([(-wide, y), (wide, y)], 0.03, CHROME)
        for column in range(columns):
            _cell(pen, shape, coat, row, column, -wide + step_x * column, -tall + step_y * row, step_x, step_y)


def _cell(pen: Pen, shape: str, coat: Coat, row: int, column: int, x: float, y: float, w: float, h: float) -> None:
    """Draw one key, field, bead or opening."""
    if shape == "abacus":
        if (column + row * 2) % 5:
            pen.ellipse(x + w / 2, y + h / 2, w * 0.42, h * 0.4, coat.base if column < 6 else coat.second)
    elif shape in ("crossword", "chessboard"):
        dark = (row + column) % 2 if shape == "chessboard" else (row * 5 + column * 3) % 7 < 2
        pen.box(
            x + 0.015,
            y + 0.015,
            x + w - 0.015,
            y + h - 0.015,
            mix(coat.base, DARK, 0.6) if dark else mix(coat.base, PALE, 0.8),
        )
    elif shape == "grille":
        pen.ellipse(x + w / 2, y + h / 2, w * 0.4, h * 0.4, (52, 58, 66))
    elif shape == "calculator" and row == 0:
        pen.box(x - 0.01, y + 0.05, x + w, y + h - 0.05, (156, 172, 140))
    else:
        pen.box(x + w * 0.1, y + h * 0.1, x + w * 0.9, y + h * 0.88, mix(coat.second, coat.base, 0.25))
        pen.box(x + w * 0.2, y + h * 0.14, x + w * 0.8, y + h * 0.6, mix(coat.second, PALE, 0.25))


# Strokes of letters in a box of 2 x 3.
LETTERS = (
    ((0, 3), (0, 0), (2, 0), (0, 0), (0, 1.5), (1.6, 1.5), (0, 1.5), (0, 3), (2, 3)),
    ((0, 3), (0, 0), (0, 1.5), (2, 1.5), (2, 0), (2, 3)),
    ((0, 0), (0, 3), (2, 3)),
    ((0, 3), (1, 0), (2, 3), (1.6, 1.8), (0.4, 1.8)),
    ((0, 0), (2, 0), (1, 0), (1, 3)),
    ((0, 3), (0, 0), (2, 3), (2, 0)),
    ((0, 0), (0, 3), (2, 3), (2, 0), (0, 0)),
    ((2, 0), (0, 0), (0, 1.5), (2, 1.5), (2, 3), (0, 3)),
    ((0, 3), (0, 0), (2, 0), (2, 1.5), (0, 1.5)),
)


def write(pen: Pen, left: float, right: float, top: float, bottom: float, count: int, colour: Colour) -> None:
    """Draw a word of `count` random letters in a box."""
    step = (right - left) / count
    for i in range(count):
        x = left + step * (i + 0.15)
        scale = (step * 0.35, (bottom - top) / 3)
        letter = pen.rng.choice(LETTERS)
        pen.stroke([(x + u * scale[0], top + v * scale[1]) for u, v in letter], (bottom - top) * 0.2, colour)


def sign(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a sign with writing on a post, a wall or a string."""
    if shape in ("signpost", "stop"):
        pen.box(-0.06, 0.2, 0.06, 1.5, STEEL)
    if shape == "stop":
        rim = [(0.8 * math.cos(a), -0.1 + 0.8 * math.sin(a)) for a in (math.pi / 8 + i * math.pi / 4 for i in range(8))]
        pen.polygon([(x * 1.08, y * 1.08) for x, y in rim], PALE)
        pen.polygon(rim, coat.base)
        write(pen, -0.6, 0.62, -0.3, 0.12, 4, PALE)
        return
    if shape == "signpost":
        for y in (-0.6, 0.0):
            pen.polygon([(-0.85, y - 0.2), (0.7, y - 0.2), (1.0, y), (0.7, y + 0.2), (-0.85, y + 0.2)], coat.base)
            write(pen, -0.75, 0.65, y - 0.11, y + 0.11, 6, coat.second)
        return
    pen.box(-1.0, -0.5, 1.0, 0.5, coat.second if shape == "billboard" else coat.dark)
    pen.box(-0.92, -0.42, 0.92, 0.42, coat.base)
    write(pen, -0.8, 0.84, -0.26, 0.08, 5, coat.second)
    write(pen, -0.5, 0.54, 0.18, 0.3, 7, coat.second)
    if shape == "billboard":
        for x in (-0.6, 0.6):
            pen.box(x - 0.05, 0.5, x + 0.05, 1.2, WOOD)


def dial(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a clock, a compass, a gauge or a watch."""
    if shape == "watch":
        for y in (-1, 1):
            pen.polygon(
                [(-0.34, 0.4 * y), (0.34, 0.4 * y), (0.26, 1.3 * y), (-0.26, 1.3 * y)], mix(coat.base, DARK, 0.5)
            )
    round_face = 0.62 if shape == "watch" else 0.92
    if shape == "compass":
        pen.ellipse(0, -1.0, 0.16, 0.16, CHROME)
    pen.ellipse(0, 0, round_face, round_face, coat.base)
    pen.ellipse(0, 0, round_face * 0.84, round_face * 0.84, (240, 236, 222))
    for hour in range(12 if shape != "gauge" else 9):
        angle = hour * math.pi / 6 - (math.pi * 7 / 6 if shape == "gauge" else 0)
        inner = 0.6 if hour % 3 == 0 else 0.7
        pen.stroke(
            [(r * round_face * math.cos(angle), r * round_face * math.sin(angle)) for r in (inner, 0.78)], 0.04, DARK
        )
    turn = pen.rng.uniform(0, 2 * math.pi)
    if shape == "compass":
        pen.part(0, 0, round_face, turn).polygon([(-0.12, 0), (0, -0.66), (0.12, 0)], (190, 50, 44))
        pen.part(0, 0, round_face, turn).polygon([(-0.12, 0), (0, 0.66), (0.12, 0)], (60, 66, 90))
        return
    hands = ((0.62, 0.05, turn),) if shape == "gauge" else ((0.44, 0.09, turn), (0.66, 0.06, turn * 5))
    for length, width, angle in hands:
        pen.stroke(
            [(0, 0), (length * round_face * math.cos(angle), length * round_face * math.sin(angle))], width, DARK
        )
    pen.ellipse(0, 0, 0.07, 0.07, coat.second)


def tool(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a hammer, spade, wrench, brush, umbrella or scissors, lying across the image."""
    handle = mix(coat.base, WOOD, 0.3)
    if shape in ("umbrella", "scissors"):
        (_umbrella if shape == "umbrella" else _scissors)(pen, coat)
        return
    pen.limb([(0, -0.5), (0, 0.3), (0, 1.0)], 0.13, 0.18, handle)
    mark(pen.part(0, 0.6, 0.4), marking, coat.second)
    if shape == "hammer":
        pen.blob(
            [(-0.5, -0.72), (0.4, -0.74), (0.5, -0.8), (0.5, -0.4), (0.4, -0.46), (-0.1, -0.48), (-0.56, -0.56)], STEEL
        )
    elif shape == "spade":
        pen.blob([(-0.36, -0.45), (0.36, -0.45), (0.34, -0.8), (0.0, -1.1), (-0.34, -0.8)], STEEL)
        pen.stroke([(-0.24, 1.0), (0.24, 1.0)], 0.12, handle)
    elif shape == "wrench":
        pen.limb([(0, -0.6), (0, 0.9)], 0.2, 0.2, STEEL)
        pen.ellipse(0, -0.74, 0.34, 0.32, STEEL)
        pen.polygon([(-0.13, -1.2), (0.13, -1.2), (0.13, -0.76), (-0.13, -0.76)], mix(coat.base, DARK, 0.6))
    else:
        pen.box(-0.34, -0.62, 0.34, -0.4, CHROME)
        for i in range(8):
            pen.stroke([(-0.3 + 0.086 * i, -0.6), (-0.34 + 0.1 * i, -1.05)], 0.09, jitter(coat.dark, 30, pen.rng))


def _umbrella(pen: Pen, coat: Coat) -> None:
    pen.stroke([(0, -0.6), (0, 0.75), (0.1, 0.9), (0.22, 0.8)], 0.05, DARK)
    pen.polygon(
        [(1.0 * math.cos(a), 0.1 - 0.85 * math.sin(a)) for a in (i * math.pi / 14 for i in range(15))], coat.base
    )
    for x in (-0.5, 0.0, 0.5):
        pen.stroke([(0, -0.75), (x, 0.1)], 0.03, coat.dark)
    for x in (-0.67, 0.0, 0.67):
        pen.ellipse(x, 0.12, 0.33, 0.1, coat.dark)


def _scissors(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.polygon([(0, 0.1), (side * 0.34, -0.95), (side * 0.16, -0.98), (-side * 0.08, 0)], CHROME)
        ring = [
            (-side * 0.34 + 0.24 * math.cos(a), 0.6 + 0.3 * math.sin(a)) for a in (i * math.pi / 8 for i in range(17))
        ]
        pen.stroke([(0, 0.05), (-side * 0.2, 0.36)], 0.12, coat.base)
        pen.stroke(ring, 0.1, coat.base)


def ball(pen: Pen, shape: str, coat: Coat, marking: str) -> None:
    """Draw a ball with seams or panels."""
    pen.ellipse(0, 0, 0.95, 0.95, coat.base if shape != "football" else (236, 234, 228))
    turned = pen.part(0, 0, 1.0, pen.rng.uniform(0, 6.28))
    if shape == "beachball":
        for i in range(3):
            a = i * 2 * math.pi / 3
            turned.mark(
                [[(0, 0), *((1.1 * math.cos(a + t), 1.1 * math.sin(a + t)) for t in (0.0, 0.3, 0.6, 0.9, 1.05))]],
                coat.second,
            )
        turned.ellipse(0, 0, 0.14, 0.14, PALE)
    elif shape == "football":
        for i in range(6):
            a = i * 2 * math.pi / 5
            x, y = (0.0, 0.0) if i == 5 else (0.72 * math.cos(a), 0.72 * math.sin(a))
            turned.mark(
                [[(x + 0.27 * math.cos(a + t), y + 0.27 * math.sin(a + t)) for t in (0, 1.26, 2.51, 3.77, 5.03)]], DARK
            )
            turned.stroke([(0, 0), (x, y)], 0.03, (120, 118, 116))
    else:
        mark(turned, marking, coat.second)
        for bend in (-0.5, 0.0, 0.5):
            turned.stroke([(bend * (1 - y * y), 0.93 * y) for y in (-1, -0.6, -0.2, 0.2, 0.6, 1)], 0.035, DARK)
        turned.stroke([(-0.95, 0), (0.95, 0)], 0.035, DARK)
    pen.ellipse(-0.36, -0.42, 0.14, 0.1, mix(coat.base, PALE, 0.7), -0.6)
