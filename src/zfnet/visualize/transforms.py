"""Shifts, scales and rotations of whole squares at pixel level (Figure 5, D19).

A transform is a 2 × 3 matrix from the position of an output pixel to the position of the input it shows, both in pixels
from the centre of the square; the input is interpolated bilinearly. What comes from outside the square is filled with
the mean image, which becomes 0 when the mean is subtracted. Everything is computed in float64 and rounded, so that the
identity is exact.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_DECIMALS = 9  # of a grey level; float64 interpolation is accurate to about that over some hundred pixels

Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]


def vertical(pixels: float) -> Matrix:
    """Move the image down."""
    return (1.0, 0.0, 0.0), (0.0, 1.0, -pixels)


def horizontal(pixels: float) -> Matrix:
    """Move the image to the right."""
    return (1.0, 0.0, -pixels), (0.0, 1.0, 0.0)


def scale(ratio: float) -> Matrix:
    """Enlarge the image about its centre."""
    return (1 / ratio, 0.0, 0.0), (0.0, 1 / ratio, 0.0)


def rotation(degrees: float) -> Matrix:
    """Rotate the image about its centre, anticlockwise."""
    turn = math.radians(degrees)
    return (math.cos(turn), -math.sin(turn), 0.0), (math.sin(turn), math.cos(turn), 0.0)


TRANSFORMS = {"vertical": vertical, "horizontal": horizontal, "scale": scale, "rotation": rotation}


def warp(square: Tensor, matrices: list[Matrix], mean: Tensor) -> Tensor:
    """Apply several transforms to a square.

    Parameters
    ----------
    square : uint8 or float (S, S, 3), 0..255.
    matrices : n of them.
    mean : float (3, S, S), the mean image, 0..255, which fills the outside.

    Returns
    -------
    Tensor
        float32 (n, S, S, 3), 0..255.
    """
    grid = _sampling_grid(matrices, square.shape[0])  # (n, S, S, 2)
    inside = torch.ones_like(square[..., :1], dtype=torch.float64)
    channels = torch.cat([square.double(), inside], 2).permute(2, 0, 1)  # (4, S, S): the image and its coverage
    moved = F.grid_sample(channels.expand(len(grid), -1, -1, -1), grid, padding_mode="zeros", align_corners=False)
    image, inside = moved[:, :3], moved[:, 3:]  # (n, 3, S, S), (n, 1, S, S)
    filled = image + (1 - inside) * mean.double()
    return filled.round(decimals=_DECIMALS).float().permute(0, 2, 3, 1)


def _sampling_grid(matrices: list[Matrix], size: int) -> Tensor:
    """Return the input position of each output pixel for `grid_sample`: -1 and 1 are the outer edges of the square."""
    along = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(along, along, indexing="ij")
    positions = torch.stack([x, y, torch.ones_like(x)], 2)  # (S, S, 3), homogeneous coordinates
    sources = torch.einsum("nij,yxj->nyxi", torch.tensor(matrices, dtype=torch.float64), positions)
    return sources * (2 / size)
