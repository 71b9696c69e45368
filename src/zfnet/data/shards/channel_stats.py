"""Mean image and RGB covariance of a data set (ZF sect. 3, K sect. 4.1).

Both are computed from sums over images in integers: exact, and independent of order, threads and restarts.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from zfnet.core.files import atomic
from zfnet.core.parsing import reading

_EXACT = 258  # side up to which a column of 8-bit products sums to less than 2**24, which float32 represents exactly


def channel_products(square: np.ndarray) -> np.ndarray:
    """Return the sums over all pixels of the nine products of two channels: int64 (3, 3).

    square : uint8 (S, S, 3)
    """
    exact = np.float32 if len(square) <= _EXACT else np.float64
    values = square.reshape(len(square), -1).astype(exact)  # (S, 3S): R, G, B, R, G, B, ...
    # Values 0, 1, 2 apart in a row: (RR, GG, BB), (RG, GB, -), (RB, -, -). The others pair neighbouring pixels.
    (rr, gg, bb), (rg, gb, _), (rb, _, _) = (_products_apart(values, distance) for distance in range(3))
    return np.array([[rr, rg, rb], [rg, gg, gb], [rb, gb, bb]], np.int64)


def _products_apart(values: np.ndarray, distance: int) -> np.ndarray:
    """Return the sums of products of values `distance` apart in a row: float64 (3,), by the first value's channel."""
    sums = np.zeros(values.shape[1])
    last = len(sums) - distance
    sums[:last] = np.einsum("ij,ij->j", values[:, :last], values[:, distance:])
    return sums.reshape(-1, 3).sum(0)


class ChannelStats:
    """Running sums over the centre squares of images."""

    def __init__(self, size: int):
        self.images = 0
        self.pixels = np.zeros((size, size, 3), np.uint32)  # enough for sixteen million images
        self.products = np.zeros((3, 3), np.int64)

    def add(self, square: np.ndarray, products: np.ndarray) -> None:
        """Add one image, uint8 (S, S, 3), and its `channel_products`."""
        self.images += 1
        self.pixels += square
        self.products += products

    def merge(self, tensors: dict[str, np.ndarray]) -> None:
        """Add the sums of other images, as returned by `tensors`."""
        self.images += int(tensors["images"])
        self.pixels += tensors["pixels"]
        self.products += tensors["products"]

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the sums as arrays for a file."""
        return {"images": np.array(self.images), "pixels": self.pixels, "products": self.products}

    def mean(self) -> np.ndarray:
        """Return the mean image: float64 (S, S, 3), 0..255."""
        return self.pixels / self.images

    def covariance(self) -> np.ndarray:
        """Return the covariance of the RGB values over all pixels of all images: float64 (3, 3)."""
        centre = self.mean().mean((0, 1))
        return self.products / (self.images * self.pixels[..., 0].size) - np.outer(centre, centre)


def write_statistics(path: Path, stats: ChannelStats) -> None:
    """Write `mean`, float32 (3, S, S), and `covariance`, float32 (3, 3)."""
    mean = np.ascontiguousarray(stats.mean().transpose(2, 0, 1), dtype=np.float32)
    with atomic(path) as temporary:
        save_file({"mean": mean, "covariance": stats.covariance().astype(np.float32)}, temporary)


def read_statistics(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean image, float32 (3, S, S), and the covariance, float32 (3, 3).

    Raises
    ------
    ZfnetError
        The file is damaged, or holds something else.
    """
    with reading(path, "the statistics of a data set", "delete manifest.json beside it and prepare the data set again"):
        tensors = load_file(path)
        mean, covariance = tensors["mean"], tensors["covariance"]
        square = mean.ndim == 3 and len(mean) == 3 and mean.shape[1] == mean.shape[2] and covariance.shape == (3, 3)
        if not square or {mean.dtype, covariance.dtype} != {np.dtype(np.float32)}:
            raise ValueError(f"arrays of shapes {mean.shape} and {covariance.shape}")
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise ValueError("numbers that are not finite")
    return mean, covariance
