"""Faces and masks of the correspondence analysis (Table 1, Figure 8; D21): where the grey squares go.

Of each picture the square of its shorter side nearest to the animal is resized to S × S and its centre crop is shown to
the net; masks are drawn after that, on the net's own pixels, so that all have the same size and sharp edges. A part's
mask is centred on its key point. Random masks are centred in the ellipse that fills the animal's box, since the corners
of a box are background; they lie inside the crop and overlap no part's mask. Animals whose parts are too near the
border, or that leave no place for random masks, cannot be used.
"""

from dataclasses import dataclass

import numpy as np

from zfnet.data.readers.keypoints import PARTS, Animal
from zfnet.data.resize import short_side


@dataclass(frozen=True)
class Face:
    """An animal as the net sees it, and the places of its masks."""

    key: str
    pixels: np.ndarray  # uint8 (crop, crop, 3)
    parts: dict[str, tuple[int, int]]  # top left corner of each part's mask
    free: np.ndarray  # int64 (n, 2), top left corners that random masks may have


@dataclass(frozen=True)
class Plan:
    """How an animal's picture is to be cut and masked."""

    square: tuple[int, int, int]  # top, left and side, pixels of the picture
    parts: dict[str, tuple[int, int]]  # as in `Face`
    free: np.ndarray


def make_plan(animal: Animal, size: int, crop: int, share: float) -> Plan | None:
    """Find the square of an animal's picture and the places of its masks; None where it cannot be used.

    Parameters
    ----------
    size : S, side of the squares the net was trained on, pixels.
    crop : side of the net's input, pixels.
    share : side of a mask as a share of the picture's shorter side.
    """
    side = min(animal.size)
    x, y, width, height = animal.box
    left = _nearest(x + width / 2, side, animal.size[1])
    top = _nearest(y + height / 2, side, animal.size[0])
    margin, zoom = (size - crop) // 2, size / side
    mask = mask_side(size, share)

    def seen(px: float, py: float) -> tuple[float, float]:
        """Row and column in the crop of a point of the picture."""
        return (py - top) * zoom - margin, (px - left) * zoom - margin

    parts = {part: _corner(seen(*animal.parts[part]), mask) for part in PARTS}
    box = *seen(x, y), *seen(x + width, y + height)
    free = free_corners(crop, mask, box, list(parts.values()))
    inside = all(0 <= start <= crop - mask for corner in parts.values() for start in corner)
    if not inside or not len(free):
        return None
    return Plan((top, left, side), parts, free)


def make_face(key: str, image: np.ndarray, plan: Plan, size: int, crop: int) -> Face:
    """Cut a picture, uint8 (H, W, 3), as planned."""
    (top, left, side), margin = plan.square, (size - crop) // 2
    square = short_side(image[top : top + side, left : left + side], size)
    return Face(key, square[margin : margin + crop, margin : margin + crop], plan.parts, plan.free)


def mask_side(size: int, share: float) -> int:
    """Side of all masks: pixels of the S × S square."""
    return max(1, round(share * size))


def free_corners(
    crop: int, mask: int, box: tuple[float, float, float, float], taken: list[tuple[int, int]]
) -> np.ndarray:
    """Top left corners of masks that are centred in the ellipse of a box and overlap none of the `taken` masks.

    Parameters
    ----------
    crop, mask : sides, pixels.
    box : top, left, bottom, right.
    taken : top left corners.

    Returns
    -------
    int64 (n, 2), rows and columns.
    """
    start = np.arange(crop - mask + 1)
    down, across = (_from_middle(start + mask / 2, *box[axis::2]) for axis in (0, 1))
    free = down[:, None] ** 2 + across[None] ** 2 <= 1
    for top, left in taken:
        free &= ~((np.abs(start - top) < mask)[:, None] & (np.abs(start - left) < mask)[None])
    return np.argwhere(free)


def _from_middle(at: np.ndarray, first: float, last: float) -> np.ndarray:
    """Distance from the middle of a stretch, in halves of it."""
    return (at - (first + last) / 2) / (max(last - first, 1e-9) / 2)


def _nearest(middle: float, side: int, length: int) -> int:
    """First pixel of the stretch of `side` out of `length` whose middle is nearest to `middle`."""
    return int(np.clip(round(middle - side / 2), 0, length - side))


def _corner(point: tuple[float, float], mask: int) -> tuple[int, int]:
    return round(point[0] - mask / 2), round(point[1] - mask / 2)
