"""Faces and masks of the correspondence analysis (Table 1, Figure 8; D21): the positions of the grey squares.

From each image the square of its shorter side that is nearest to the animal is resized to S × S, and its centre crop is
the input of the net. Masks are drawn after that, in the pixels of the crop, so that all have the same size and sharp
edges. A part's mask is centred on its key point. Random masks are centred in the ellipse inscribed in the animal's box,
since the corners of a box are background; they lie inside the crop and overlap no part's mask. Animals whose parts are
too near the border, or that leave no room for random masks, are not used.
"""

from dataclasses import dataclass

import numpy as np

from zfnet.data.readers.keypoints import PARTS, Animal
from zfnet.data.resize import short_side


@dataclass(frozen=True)
class Face:
    """The crop of an animal, and the positions of its masks."""

    key: str
    pixels: np.ndarray  # uint8 (crop, crop, 3)
    parts: dict[str, tuple[int, int]]  # top left corner of each part's mask
    free: np.ndarray  # int64 (n, 2), possible top left corners of random masks


@dataclass(frozen=True)
class Plan:
    """How to crop and mask the image of an animal."""

    square: tuple[int, int, int]  # top, left and side, pixels of the image
    parts: dict[str, tuple[int, int]]  # as in `Face`
    free: np.ndarray  # as in `Face`


def make_plan(animal: Animal, size: int, crop: int, mask_size: float) -> Plan | None:
    """Find the square of an animal's image and the positions of its masks; None if it cannot be used.

    Parameters
    ----------
    size : S, side of the squares the net was trained on, pixels.
    crop : side of the net's input, pixels.
    mask_size : side of a mask as a fraction of the image's shorter side.
    """
    side = min(animal.size)
    x, y, width, height = animal.box
    left = _nearest_start(x + width / 2, side, animal.size[1])
    top = _nearest_start(y + height / 2, side, animal.size[0])
    margin, zoom = (size - crop) // 2, size / side
    mask = mask_side(size, mask_size)

    def to_crop(px: float, py: float) -> tuple[float, float]:
        """Convert a point of the image to row and column of the crop."""
        return (py - top) * zoom - margin, (px - left) * zoom - margin

    parts = {part: _corner(to_crop(*animal.parts[part]), mask) for part in PARTS}
    box = *to_crop(x, y), *to_crop(x + width, y + height)
    free = free_corners(crop, mask, box, list(parts.values()))
    inside = all(0 <= start <= crop - mask for corner in parts.values() for start in corner)
    if not inside or not len(free):
        return None
    return Plan((top, left, side), parts, free)


def make_face(key: str, image: np.ndarray, plan: Plan, size: int, crop: int) -> Face:
    """Crop an image, uint8 (H, W, 3), according to its plan."""
    (top, left, side), margin = plan.square, (size - crop) // 2
    square = short_side(image[top : top + side, left : left + side], size)  # (S, S, 3)
    return Face(key, square[margin : margin + crop, margin : margin + crop], plan.parts, plan.free)


def mask_side(size: int, mask_size: float) -> int:
    """Return the side of all masks, pixels of the S × S square."""
    return max(1, round(mask_size * size))


def free_corners(
    crop: int, mask: int, box: tuple[float, float, float, float], taken: list[tuple[int, int]]
) -> np.ndarray:
    """Find the masks that are centred in the ellipse inscribed in a box and overlap none of the `taken` masks.

    Parameters
    ----------
    crop, mask : sides, pixels.
    box : top, left, bottom, right.
    taken : top left corners.

    Returns
    -------
    ndarray
        int64 (n, 2), rows and columns of the top left corners.
    """
    start = np.arange(crop - mask + 1)
    down, across = (_relative_to_centre(start + mask / 2, *box[axis::2]) for axis in (0, 1))
    free = down[:, None] ** 2 + across[None] ** 2 <= 1
    for top, left in taken:
        free &= ~((np.abs(start - top) < mask)[:, None] & (np.abs(start - left) < mask)[None])
    return np.argwhere(free)


def _relative_to_centre(at: np.ndarray, first: float, last: float) -> np.ndarray:
    """Return the signed distance from the centre of an interval, in halves of its length."""
    return (at - (first + last) / 2) / (max(last - first, 1e-9) / 2)


def _nearest_start(centre: float, side: int, length: int) -> int:
    """Return the start of the interval of `side` within `length` whose centre is nearest to `centre`."""
    return int(np.clip(round(centre - side / 2), 0, length - side))


def _corner(point: tuple[float, float], mask: int) -> tuple[int, int]:
    return round(point[0] - mask / 2), round(point[1] - mask / 2)
