"""Drawing objects from parts, and compositing them into an image with light, relief, texture and shadow.

A `Pen` draws smooth outlines in an object's own coordinates (about -1..1, y pointing down) at twice the resolution of
the image; a `Canvas` holds the image as float32 (H, W, 3) and composites what pens have drawn.
"""

import math
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from zfnet.synthetic import textures

Colour = tuple[int, int, int]
Points = list[tuple[float, float]] | np.ndarray
FINE = 2  # supersampling factor of pens, for smooth edges


class Frame(NamedTuple):
    """Affine map from an object's coordinates to the image: pixels = matrix @ (x, y) + offset."""

    matrix: np.ndarray  # (2, 2)
    offset: np.ndarray  # (2,)

    @classmethod
    def at(cls, x: float, y: float, scale: float, angle: float = 0.0, flip: bool = False, lean: float = 0.0) -> "Frame":
        """Return a frame with origin (x, y), `scale` pixels per unit, rotated by `angle` radians, mirrored, sheared."""
        cosine, sine = math.cos(angle) * scale, math.sin(angle) * scale
        turn = np.array([[cosine, -sine], [sine, cosine]])
        return cls(turn @ np.array([[-1.0 if flip else 1.0, lean], [0.0, 1.0]]), np.array([x, y]))

    def __call__(self, points: Points) -> np.ndarray:
        return np.asarray(points, dtype=float) @ self.matrix.T + self.offset

    def inside(self, x: float, y: float, scale: float = 1.0, angle: float = 0.0, flip: bool = False) -> "Frame":
        """Return the frame of a part whose origin is at (x, y) of this one."""
        part = Frame.at(x, y, scale, angle, flip)
        return Frame(self.matrix @ part.matrix, self(part.offset))

    @property
    def scale(self) -> float:
        """Pixels per unit."""
        return math.sqrt(abs(np.linalg.det(self.matrix)))


class Pen:
    """Drawing tool for the parts of one object: its colours, black outside it, and its coverage."""

    def __init__(self, size: tuple[int, int], frame: Frame, rng: Random) -> None:
        fine = (size[0] * FINE, size[1] * FINE)
        self.colours, self.coverage = Image.new("RGB", fine), Image.new("L", fine)
        self._paint, self._cover = ImageDraw.Draw(self.colours), ImageDraw.Draw(self.coverage)
        self.frame, self.rng = frame, rng

    def part(self, x: float, y: float, scale: float = 1.0, angle: float = 0.0, flip: bool = False) -> "Pen":
        """Return a pen on the same object with the origin, scale and direction of a part."""
        pen = object.__new__(Pen)
        pen.__dict__.update(self.__dict__, frame=self.frame.inside(x, y, scale, angle, flip))
        return pen

    def polygon(self, points: Points, colour: Colour) -> None:
        flat = self._fine(points)
        self._paint.polygon(flat, fill=colour)
        self._cover.polygon(flat, fill=255)

    def blob(self, points: Points, colour: Colour) -> None:
        """Fill a smooth closed outline through the points."""
        self.polygon(smooth(points), colour)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, angle: float = 0.0) -> None:
        self.polygon(ellipse(x, y, rx, ry, angle), colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def stroke(self, points: Points, width: float, colour: Colour) -> None:
        """Draw a line through the points, `width` units thick, at least one supersampled pixel."""
        flat, pixels = self._fine(points), max(1, round(width * self.frame.scale * FINE))
        self._paint.line(flat, fill=colour, width=pixels, joint="curve")
        self._cover.line(flat, fill=255, width=pixels, joint="curve")

    def limb(self, points: Points, start: float, end: float, colour: Colour) -> None:
        """Draw a smooth tapering limb along the points, `start` units thick at the first and `end` at the last."""
        points = np.asarray(points, dtype=float)
        along = np.gradient(points, axis=0)
        across = along[:, ::-1] * (-1, 1) / np.linalg.norm(along, axis=1, keepdims=True)
        half = across * np.linspace(start / 2, end / 2, len(points))[:, None]
        self.blob(np.concatenate([points + half, (points - half)[::-1]]), colour)

    def mark(self, shapes: Sequence[Points], colour: Colour) -> None:
        """Colour the shapes, but only where something is drawn already: markings of a coat, stripes of a hull."""
        stencil = Image.new("L", self.coverage.size)
        draw = ImageDraw.Draw(stencil)
        for points in shapes:
            draw.polygon(self._fine(points), fill=255)
        box = stencil.getbbox()
        if box:
            self.colours.paste(colour, box, ImageChops.multiply(stencil.crop(box), self.coverage.crop(box)))

    def where(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel coordinates of a point of the object."""
        px, py = self.frame([(x, y)])[0]
        return float(px), float(py)

    def _fine(self, points: Points) -> list[float]:
        return (self.frame(points) * FINE).ravel().tolist()


@cache
def _circle(count: int = 28) -> np.ndarray:
    angles = np.linspace(0, 2 * math.pi, count, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
    """Return the outline of an ellipse, float (28, 2)."""
    outline = _circle() * (rx, ry)
    return Frame.at(x, y, 1.0, angle)(outline) if angle else outline + np.array((x, y))


@cache
def _catmull_rom(count: int, steps: int = 5) -> np.ndarray:
    """Return the matrix (count * steps, count) of a closed Catmull-Rom curve through `count` points."""
    t = np.arange(steps) / steps
    weights = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]) / 2
    matrix = np.zeros((count, steps, count))
    for point in range(count):
        for neighbour in range(4):
            matrix[point, :, (point + neighbour - 1) % count] += weights[neighbour]
    return matrix.reshape(count * steps, count)


def smooth(points: Points) -> np.ndarray:
    """Return the closed smooth curve through the points, float (5 n, 2)."""
    points = np.asarray(points, dtype=float)
    return _catmull_rom(len(points)) @ points


class Canvas:
    """An image composited object by object under one light."""

    def __init__(self, pixels: np.ndarray, rng: Random) -> None:
        self.pixels = pixels  # float32 (H, W, 3), 0..255
        self.light = (rng.uniform(-0.8, 0.8), rng.uniform(-1.0, -0.5))  # direction to the light, from above
        self.rng = rng

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def stamp(self, pen: Pen, material: str, grounded: bool) -> tuple[int, int, int, int] | None:
        """Composite the pen's drawing into the image; return the box (left, top, right, bottom) it covers, or None."""
        coverage = pen.coverage.reduce(FINE)
        box = coverage.getbbox()
        if box is None:
            return None
        if grounded:
            self._shadow(coverage, box)
        left, top, right, bottom = box
        alpha = np.asarray(coverage.crop(box), dtype=np.float32)[..., None] / 255  # (h, w, 1)
        fine_box = (FINE * left, FINE * top, FINE * right, FINE * bottom)
        colours = np.asarray(pen.colours.crop(fine_box).reduce(FINE), dtype=np.float32)
        gain = relief(coverage.crop(box), self.light) + textures.grain(material, right - left, bottom - top, self.rng)
        under = self.pixels[top:bottom, left:right]
        # The pen is black outside the object, so `colours` is already multiplied by alpha.
        self.pixels[top:bottom, left:right] = under * (1 - alpha) + colours * gain[..., None]
        return box

    def _shadow(self, coverage: Image.Image, box: tuple[int, int, int, int]) -> None:
        """Darken the ground next to the object: its outline, flattened, shifted away from the light and blurred."""
        left, top, right, bottom = box
        width, height = right - left, max(4, (bottom - top) // 6)
        shade = Image.new("L", (width + 16, height + 16))
        shade.paste(coverage.crop(box).resize((width, height), Image.Resampling.BILINEAR), (8, 8))
        shade = shade.filter(ImageFilter.BoxBlur(4))
        x, y = left - 8 - round(self.light[0] * 0.08 * width), bottom - 8 - height * 2 // 3
        dark = np.asarray(shade, dtype=np.float32)[..., None] / 255 * 0.5
        W, H = self.size
        x0, y0, x1, y1 = max(0, x), max(0, y), min(W, x + width + 16), min(H, y + height + 16)
        if x0 < x1 and y0 < y1:
            self.pixels[y0:y1, x0:x1] *= 1 - dark[y0 - y : y1 - y, x0 - x : x1 - x]


def relief(coverage: Image.Image, light: tuple[float, float], strength: float = 0.55) -> np.ndarray:
    """Return shading that makes a flat outline look round: the slope of its blurred coverage towards the light.

    coverage : L image (h, w).  Returns float32 (h, w) around 1, brighter where the surface faces the light.
    """
    small = coverage.resize((max(4, coverage.width // 4), max(4, coverage.height // 4)), Image.Resampling.BOX)
    radius = max(2, min(small.size) // 5)
    framed = Image.new("L", (small.width + 2 * radius, small.height + 2 * radius))
    framed.paste(small, (radius, radius))
    height = np.asarray(framed.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius / 2)), np.float32)
    down, across = np.asarray(np.gradient(height / 255))
    facing = -(light[0] * across + light[1] * down) * radius * 2 * strength
    inner = facing[radius:-radius, radius:-radius]
    return 1 + np.asarray(Image.fromarray(inner).resize(coverage.size, Image.Resampling.BILINEAR))


def mix(first: Colour, second: Colour, weight: float) -> Colour:
    """Return the blend of two colours with `weight` on the second."""
    return tuple(round(a + (b - a) * weight) for a, b in zip(first, second, strict=True))  # type: ignore[return-value]


def jitter(colour: Colour, amount: float, rng: Random) -> Colour:
    """Return the colour with a random change of lightness and hue."""
    light = rng.uniform(-amount, amount)
    return tuple(max(0, min(255, round(c + light + rng.uniform(-amount, amount) / 2))) for c in colour)  # type: ignore[return-value]
