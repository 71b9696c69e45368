"""Coordinates in which heads are trained: centred, scaled to unit size, and never more of them than training images.

Features are centred by the mean of the training images and divided by one number, the root mean square of their norms,
so that the same values of C suit every layer, width and size of net. Features keep their relative sizes: none is scaled
on its own. The paper does not say how it normalised.

An L2-penalised linear classifier depends on its features only through inner products: its optimal weights are a linear
combination of the training samples, w = Xᵀ a, so a score is x_test · w = (x_test Xᵀ) a. Where a layer has more
dimensions than there are images (290,400 at layer 1), X is therefore read only once, to compute the Gram matrix

    X Xᵀ = U S Uᵀ   (n, n)

and Z = U √S (n, n) replaces X: Z Zᵀ = X Xᵀ, hence the same classifier, but with n features instead of d. A test image
gets the coordinates z with z Zᵀ = x_test Xᵀ, that is z = x_test Xᵀ U / √S.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfnet.core import memory

BLOCK_BYTES = 256 << 20  # of features held in memory at once
STRIPE = 1024  # rows of the Gram matrix computed by one product
MIN_EIGENVALUE = 1e-9  # relative to the largest; smaller ones are rounding errors


@dataclass(frozen=True)
class FeatureKernel:
    """The features of one layer, and their Gram matrix if there are more dimensions than images.

    rows : float32 or float16 (N, d), memory mapped;  gram : float64 (M, M) or None
    gram_index : int (N,), row of each image in `gram`, -1 for images that are not used
    name : what messages call the features
    """

    rows: np.ndarray
    gram: Tensor | None
    gram_index: np.ndarray
    device: torch.device
    name: str

    @classmethod
    def open(cls, rows: np.ndarray, used: np.ndarray, device: torch.device, name: str = "features") -> "FeatureKernel":
        """Prepare the features of a layer (N, d); only the images with the numbers `used` can be asked for later.

        Raises
        ------
        ZfnetError
            There is too little memory for the Gram matrix, on the CPU too.
        """
        used = np.unique(used)
        gram_index = np.full(len(rows), -1)
        gram_index[used] = np.arange(len(used))
        wide = rows.shape[1] > len(used)
        if wide:
            purpose = f"{name}: the Gram matrix of {len(used):,} images"
            device = memory.roomy(16 * len(used) ** 2 + 2 * BLOCK_BYTES, purpose, device)
        return cls(rows, gram_matrix(rows, used, device) if wide else None, gram_index, device, name)

    def coordinates(self, train: np.ndarray, test: np.ndarray, fit_bytes: int = 0) -> tuple[Tensor, Tensor]:
        """Return float32 (n, D) and (m, D) for the images with the numbers `train` and `test`, D <= min(d, n).

        Parameters
        ----------
        fit_bytes
            Memory that a fit on the coordinates will need in addition; it is checked now. If a GPU has too little, the
            coordinates are on the CPU.

        Raises
        ------
        ZfnetError
            There is too little memory for the coordinates and the fit, on the CPU too.
        """
        purpose = f"{self.name}: a fold of {len(train):,} + {len(test):,} images"
        device = memory.roomy(self.bytes_needed(len(train), len(test), fit_bytes), purpose, self.device)
        if self.gram is not None:
            gram, train_index, test_index = self.gram.to(device), self.gram_index[train], self.gram_index[test]
            return from_gram(gram[train_index[:, None], train_index], gram[test_index[:, None], train_index])
        return from_rows(self._read(train, device), self._read(test, device))

    def dimensions(self, train: int) -> int:
        """Return the largest possible number of coordinates for so many training images."""
        return min(self.rows.shape[1], train)

    def bytes_needed(self, train: int, test: int, fit_bytes: int = 0) -> int:
        """Return the peak memory, bytes, of `coordinates` for so many images, and of a fit that follows."""
        width, dimensions = self.rows.shape[1], self.dimensions(train)
        read = 0 if self.gram is not None else 12 * width * (train + test)  # as read, centred, scaled
        products = 8 * train * (4 * train + 3 * test) if width > train else 0
        return memory.SLACK + max(read + products, 4 * dimensions * (train + test) + fit_bytes)

    def _read(self, indices: np.ndarray, device: torch.device) -> Tensor:
        return torch.from_numpy(np.asarray(self.rows[indices])).to(device).float()  # (len(indices), d)


def gram_matrix(rows: np.ndarray, used: np.ndarray, device: torch.device) -> Tensor:
    """Return the inner products, float64 (M, M), of the images `used` of (N, d), read once, in blocks of columns.

    The mean is subtracted first: a classifier with a bias does not depend on it, and it would cost digits. Products are
    float32 and their sums over blocks float64. Only the lower triangle is computed.
    """
    gram = torch.zeros(len(used), len(used), dtype=torch.float64, device=device)
    width = max(1, BLOCK_BYTES // (4 * len(used)))
    for first in range(0, rows.shape[1], width):
        block = torch.from_numpy(_read_columns(rows, used, first, width)).to(device).float()  # (M, width)
        block -= block.mean(0)
        for top in range(0, len(used), STRIPE):
            bottom = top + STRIPE
            gram[top:bottom, :bottom] += block[top:bottom] @ block[:bottom].T
    return gram.tril_().add_(gram.tril(-1).T)


def _read_columns(rows: np.ndarray, used: np.ndarray, first: int, width: int) -> np.ndarray:
    """Return columns of the rows `used`, (M, width); files are read, because mapped pages would fill the memory."""
    if not isinstance(rows, np.memmap) or rows.filename is None:
        return np.ascontiguousarray(rows[:, first : first + width][used])
    block = np.empty((len(used), min(width, rows.shape[1] - first)), rows.dtype)
    with Path(rows.filename).open("rb", buffering=0) as file:
        for target, row in zip(block, used.tolist(), strict=True):
            file.seek(rows.offset + (row * rows.shape[1] + first) * rows.itemsize)
            file.readinto(target)
    return block


def from_rows(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates of train (n, d) and test (m, d) images: centred and scaled, by the Gram matrix where d > n."""
    mean = train.mean(0)
    train, test = train - mean, test - mean
    if train.shape[1] > len(train):
        return from_gram((train @ train.T).double(), (test @ train.T).double())
    size = train.square().sum(1).mean().sqrt().clamp_min(1e-30)
    return train / size, test / size


def from_gram(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates (n, D) and (m, D) from inner products of training images (n, n), and of test images (m, n).

    Inner products are float64. D is the number of eigenvalues that are not rounding errors.
    """
    mean = train.mean(0)
    train, test = _centre(train, mean), _centre(test, mean)
    size = train.diagonal().mean().clamp_min(1e-30)  # mean squared norm
    eigenvalues, eigenvectors = torch.linalg.eigh(train.div_(size))  # (n,) ascending, (n, n)
    kept = eigenvalues > MIN_EIGENVALUE * eigenvalues[-1]
    roots, eigenvectors = eigenvalues[kept].sqrt(), eigenvectors[:, kept]  # √S (D,), U (n, D)
    return (eigenvectors * roots).float(), (test.div_(size) @ (eigenvectors / roots)).float()  # U √S, K U / √S


def _centre(products: Tensor, mean: Tensor) -> Tensor:
    """Centre the features behind inner products (m, n) with training images, `mean` the mean training row (n,).

    <x - μ, y - μ> = <x, y> - <x, μ> - <y, μ> + <μ, μ>, with μ the mean of the training images.
    """
    return products - products.mean(1, keepdim=True) - mean + mean.mean()
