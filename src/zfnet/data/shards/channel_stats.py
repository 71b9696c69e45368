"""The mean image and the covariance of the RGB values of a data set (ZF sect. 3, K sect. 4.1).

Both are sums over pictures, kept as whole numbers: exact, and independent of order, threads and restarts.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from zfnet.core.files import atomic

_EXACT = 258  # the products of so many pairs of values add up to less than 2**24, which float32 holds without rounding


def products(square: np.ndarray) -> np.ndarray:
    """Sums over all pixels of the nine products of two colour values: int64 (3, 3).

    square : uint8 (S, S, 3)
    """
    exact = np.float32 if len(square) <= _EXACT else np.float64
    values = square.reshape(len(square), -1).astype(exact)  # a row is R, G, B, R, G, B, ...
    (rr, gg, bb), (rg, gb, _), (rb, _, _) = (_products_apart(values, distance) for distance in range(3))
    return np.array([[rr, rg, rb], [rg, gg, gb], [rb, gb, bb]], np.int64)


def _products_apart(values: np.ndarray, distance: int) -> np.ndarray:
    """Sums of the products of two values so far apart in a row: float64 (3,), by the colour of the first."""
    sums = np.zeros(values.shape[1])
    last = len(sums) - distance
    sums[:last] = np.einsum("ij,ij->j", values[:, :last], values[:, distance:])
    return sums.reshape(-1, 3).sum(0)


class ChannelStats:
    """Running sums over the centre squares of some pictures."""

    def __init__(self, size: int):
        self.images = 0
        self.pixels = np.zeros((size, size, 3), np.uint32)  # holds the sums of sixteen million pictures
        self.products = np.zeros((3, 3), np.int64)

    def add(self, square: np.ndarray, its_products: np.ndarray) -> None:
        """Take in one picture, uint8 (S, S, 3), and its `products`."""
        self.images += 1
        self.pixels += square
        self.products += its_products

    def merge(self, tensors: dict[str, np.ndarray]) -> None:
        """Take in the sums of other pictures, as given by `tensors`."""
        self.images += int(tensors["images"])
        self.pixels += tensors["pixels"]
        self.products += tensors["products"]

    def tensors(self) -> dict[str, np.ndarray]:
        """The sums as arrays for a file."""
        return {"images": np.array(self.images), "pixels": self.pixels, "products": self.products}

    def mean(self) -> np.ndarray:
        """Mean image: float64 (S, S, 3), 0..255."""
        return self.pixels / self.images

    def covariance(self) -> np.ndarray:
        """Covariance of the RGB values over all pixels of all pictures: float64 (3, 3)."""
        centre = self.mean().mean((0, 1))
        return self.products / (self.images * self.pixels[..., 0].size) - np.outer(centre, centre)


def write_statistics(path: Path, sums: ChannelStats) -> None:
    """Write "mean" float32 (3, S, S) and "covariance" float32 (3, 3)."""
    mean = np.ascontiguousarray(sums.mean().transpose(2, 0, 1), dtype=np.float32)
    with atomic(path) as beside:
        save_file({"mean": mean, "covariance": sums.covariance().astype(np.float32)}, beside)


def read_statistics(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the mean image, float32 (3, S, S), and the covariance, float32 (3, 3)."""
    tensors = load_file(path)
    return tensors["mean"], tensors["covariance"]
