"""Features to the coordinates in which heads are trained: centred, of unit size, never more than pictures.

A layer's features are moved by the mean of the training pictures and divided by one number, the root mean square of
their norms, so that the same values of C make sense for every layer, width and size of net. Features keep their
relative sizes: nothing is scaled one by one. The paper does not say how it normalised.

A linear classifier with an L2 penalty sees features only through inner products. So where a layer has more dimensions
than there are pictures (290,400 at layer 1), its Gram matrix X Xᵀ = U S Uᵀ is made once, and U √S takes the place of X:
n dimensions, the same inner products, the same classifier.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfnet.core import memory

BLOCK_BYTES = 256 << 20  # of features held in memory at once
STRIPE = 1024  # rows of the Gram matrix made by one product


@dataclass(frozen=True)
class Layer:
    """The features of one layer, or their Gram matrix.

    rows : float32 or float16 (N, d), memory mapped;  gram : float64 (M, M) or None
    place : where each picture is in `gram`
    name : what sentences call it
    """

    rows: np.ndarray
    gram: Tensor | None
    place: np.ndarray
    device: torch.device
    name: str

    @classmethod
    def open(cls, rows: np.ndarray, used: np.ndarray, device: torch.device, name: str = "features") -> "Layer":
        """Take the features of a layer, of which only the pictures `used` will be asked for."""
        used = np.unique(used)
        place = np.full(len(rows), -1)
        place[used] = np.arange(len(used))
        wide = rows.shape[1] > len(used)
        if wide:
            what = f"{name}: the Gram matrix of {len(used):,} pictures"
            memory.require(16 * len(used) ** 2 + 2 * BLOCK_BYTES, what, device)
        return cls(rows, gram_matrix(rows, used, device) if wide else None, place, device, name)

    def coordinates(self, train: np.ndarray, test: np.ndarray, fit: int = 0) -> tuple[Tensor, Tensor]:
        """Return float32 (n, D) and (m, D) for the pictures `train` and `test`, D <= max(d, n).

        What is made of them will take `fit` bytes beside them, for which there has to be room, too.
        """
        what = f"{self.name}: a fold of {len(train):,} + {len(test):,} pictures"
        memory.require(self.needs(len(train), len(test), fit), what, self.device)
        if self.gram is not None:
            of_train, of_test = self.place[train], self.place[test]
            return from_gram(self.gram[of_train[:, None], of_train], self.gram[of_test[:, None], of_train])
        return from_rows(self._read(train), self._read(test))

    def dimensions(self, train: int) -> int:
        """Return how many coordinates there are at most, of so many training pictures."""
        return min(self.rows.shape[1], train)

    def needs(self, train: int, test: int, fit: int = 0) -> int:
        """Return the bytes that `coordinates` takes for so many pictures, or afterwards, with them, a fit."""
        width, dimensions = self.rows.shape[1], self.dimensions(train)
        read = 0 if self.gram is not None else 12 * width * (train + test)  # as they are, centred, scaled
        products = 8 * train * (4 * train + 3 * test) if width > train else 0
        return memory.SLACK + max(read + products, 4 * dimensions * (train + test) + fit)

    def _read(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(self.rows[rows])).to(self.device).float()


def gram_matrix(rows: np.ndarray, used: np.ndarray, device: torch.device) -> Tensor:
    """Return the inner products, float64 (M, M), of the pictures `used` of (N, d), read once, in column blocks.

    The mean is taken off first: it is of no account to classifiers with a bias, and would cost digits. Products are
    float32, their sums float64, and only those on and below the diagonal are computed.
    """
    gram = torch.zeros(len(used), len(used), dtype=torch.float64, device=device)
    width = max(1, BLOCK_BYTES // (4 * len(used)))
    for first in range(0, rows.shape[1], width):
        block = torch.from_numpy(_columns(rows, used, first, width)).to(device).float()
        block -= block.mean(0)
        for above in range(0, len(used), STRIPE):
            below = above + STRIPE
            gram[above:below, :below] += block[above:below] @ block[:below].T
    return gram.tril_().add_(gram.tril(-1).T)


def _columns(rows: np.ndarray, used: np.ndarray, first: int, width: int) -> np.ndarray:
    """Return some columns of some pictures; from a file by reading, since mapped pages would fill the memory."""
    if not isinstance(rows, np.memmap):
        return np.ascontiguousarray(rows[:, first : first + width][used])
    block = np.empty((len(used), min(width, rows.shape[1] - first)), rows.dtype)
    with Path(rows.filename).open("rb", buffering=0) as file:
        for place, row in zip(block, used.tolist(), strict=True):
            file.seek(rows.offset + (row * rows.shape[1] + first) * rows.itemsize)
            file.readinto(place)
    return block


def from_rows(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and scale by the training features; go by way of the Gram matrix where d > n."""
    mean = train.mean(0)
    train, test = train - mean, test - mean
    if train.shape[1] > len(train):
        return from_gram((train @ train.T).double(), (test @ train.T).double())
    size = train.square().sum(1).mean().sqrt().clamp_min(1e-30)
    return train / size, test / size


def from_gram(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates of train (n, n) and test (m, n) pictures from inner products (n, n) and (m, n), float64."""
    mean = train.mean(0)
    train, test = _centre(train, mean), _centre(test, mean)
    size = train.diagonal().mean().clamp_min(1e-30)
    spread, axes = torch.linalg.eigh(train.div_(size))  # (n,) ascending, (n, n)
    seen = spread > 1e-9 * spread[-1]
    roots, axes = spread[seen].sqrt(), axes[:, seen]
    return (axes * roots).float(), (test.div_(size) @ (axes / roots)).float()


def _centre(products: Tensor, mean: Tensor) -> Tensor:
    return products - products.mean(1, keepdim=True) - mean + mean.mean()
