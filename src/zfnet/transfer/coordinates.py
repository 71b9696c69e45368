"""Features to the coordinates in which heads are trained: centred, of unit size, along their principal axes.

A layer's features are moved by the mean of the training pictures and divided by one number, the root mean square of
their norms, so that the same values of C make sense for every layer, width and size of net. Features keep their
relative sizes: nothing is scaled one by one. The paper does not say how it normalised (PAPER.md 8.4).

A linear classifier with an L2 penalty sees features only through inner products, so a rotation changes nothing; along
the principal axes its Hessian is nearly diagonal and fits take half the steps. And where a layer has more dimensions
than there are pictures (290,400 at layer 1), its Gram matrix X Xᵀ = U S Uᵀ is made once, and U √S takes the place of X:
n dimensions, the same inner products, the same classifier.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

BLOCK_BYTES = 256 << 20  # of features held in memory at once


@dataclass(frozen=True)
class Layer:
    """The features of one layer, or their Gram matrix.

    rows : float32 (N, d), memory mapped;  gram : float64 (M, M) or None;  place : where each picture is in `gram`
    """

    rows: np.ndarray
    gram: Tensor | None
    place: np.ndarray
    device: torch.device

    @classmethod
    def open(cls, rows: np.ndarray, used: np.ndarray, device: torch.device) -> "Layer":
        """Take the features of a layer, of which only the pictures `used` will be asked for."""
        used = np.unique(used)
        place = np.full(len(rows), -1)
        place[used] = np.arange(len(used))
        wide = rows.shape[1] > len(used)
        return cls(rows, gram_matrix(rows, used, device) if wide else None, place, device)

    def coordinates(self, train: np.ndarray, test: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return float32 (n, D) and (m, D) for the pictures `train` and `test`, D <= max(d, n)."""
        if self.gram is not None:
            of_train, of_test = self.place[train], self.place[test]
            return from_gram(self.gram[of_train][:, of_train], self.gram[of_test][:, of_train])
        return from_rows(self._read(train), self._read(test))

    def _read(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(self.rows[rows])).to(self.device)


def gram_matrix(rows: np.ndarray, used: np.ndarray, device: torch.device) -> Tensor:
    """Return the inner products, float64 (M, M), of the pictures `used` of float32 (N, d), read once, in column blocks.

    The mean is taken off first: it is of no account to classifiers with a bias, and would cost digits.
    """
    gram = torch.zeros(len(used), len(used), dtype=torch.float64, device=device)
    width = max(1, BLOCK_BYTES // (4 * len(used)))
    for first in range(0, rows.shape[1], width):
        block = torch.from_numpy(np.asarray(rows[:, first : first + width][used])).to(device)
        block -= block.mean(0)
        gram += block @ block.T
    return gram


def from_rows(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and scale by the training features; go by way of the Gram matrix where d > n."""
    mean = train.mean(0)
    train, test = train - mean, test - mean
    if train.shape[1] > len(train):
        return from_gram((train @ train.T).double(), (test @ train.T).double())
    size = train.square().sum(1).mean().sqrt().clamp_min(1e-30)
    _, axes = torch.linalg.eigh((train.T @ train).double())
    axes = axes.float() / size
    return train @ axes, test @ axes


def from_gram(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates of train (n, n) and test (m, n) pictures from inner products (n, n) and (m, n), float64."""
    mean = train.mean(0)
    train, test = _centre(train, mean), _centre(test, mean)
    size = train.diagonal().mean().clamp_min(1e-30)
    spread, axes = torch.linalg.eigh(train / size)  # (n,) ascending, (n, n)
    seen = spread > 1e-9 * spread[-1]
    roots, axes = spread[seen].sqrt(), axes[:, seen]
    return (axes * roots).float(), (test / size @ (axes / roots)).float()


def _centre(products: Tensor, mean: Tensor) -> Tensor:
    return products - products.mean(1, keepdim=True) - mean + mean.mean()
