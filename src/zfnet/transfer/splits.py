"""Train/test folds of the Caltech sets (ZF sect. 5.2, D24), shared by every head, layer and net trained from scratch.

In each fold the images of every class are shuffled. The first `size` are for training, so that smaller training sets
are subsets of larger ones. The images after the largest size, at most `max_test` of them, are for testing, so that all
sizes share one test set. The order of a class depends only on the seed, the fold and the keys of its own images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zfnet.core.errors import ZfnetError
from zfnet.core.files import text_hash


@dataclass(frozen=True)
class Split:
    """Image numbers of one fold at one training size."""

    fold: int
    size: int
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Splits:
    """All folds of a data set.

    sizes : training images per class, ascending;  classes : labels that take part, ascending
    orders : for each fold, label -> shuffled image numbers
    max_test : most test images per class
    left_out : one sentence for each size and class that had to be left out
    too_few : name of each class left out -> number of its images
    """

    sizes: tuple[int, ...]
    classes: np.ndarray
    orders: list[dict[int, np.ndarray]]
    max_test: int
    left_out: list[str]
    too_few: dict[str, int]

    def __iter__(self) -> Iterator[Split]:
        """Yield a `Split` for every fold and size."""
        for fold in range(len(self.orders)):
            for size in self.sizes:
                yield self.split(fold, size)

    def split(self, fold: int, size: int) -> Split:
        """Return fold `fold` with `size` training images per class."""
        orders, last = self.orders[fold], self.sizes[-1]
        train = np.concatenate([orders[label][:size] for label in self.classes])
        test = np.concatenate([orders[label][last : last + self.max_test] for label in self.classes])
        return Split(fold, size, train, test)

    @property
    def used(self) -> np.ndarray:
        """Numbers of all images that any fold trains or tests on, ascending."""
        return np.unique(np.concatenate([np.r_[split.train, split.test] for split in self]))

    def record(self, keys: Sequence[str]) -> dict:
        """Return the folds, by the keys of their images, for JSON."""
        folds = [{"train": [keys[i] for i in s.train], "test": [keys[i] for i in s.test]} for s in self._largest()]
        return {"sizes": self.sizes, "left_out": self.left_out, "too_few": self.too_few, "folds": folds}

    def _largest(self) -> list[Split]:
        return [self.split(fold, self.sizes[-1]) for fold in range(len(self.orders))]


def make_splits(
    labels: np.ndarray,
    keys: Sequence[str],
    classes: list[str],
    sizes: tuple[int, ...],
    max_test: int,
    folds: int,
    seed: int,
) -> Splits:
    """Draw the folds.

    Parameters
    ----------
    labels : int (N,)
        Label of each image, an index into `classes`.
    keys
        Unique name of each image; they make the folds independent of the order of an archive.
    sizes, max_test
        Training images per class, and the most test images per class.

    Notes
    -----
    A size is left out unless at least half of the classes, and at least two, have one image more than that. Classes
    that are too small for the largest remaining size are left out at all sizes, because accuracies at different sizes
    or of different layers are only comparable over the same classes.

    Raises
    ------
    ZfnetError
        No size remains.
    """
    counts = np.bincount(labels, minlength=len(classes))
    enough = max(2, len(classes) / 2)
    kept = tuple(sorted({size for size in sizes if (counts > size).sum() >= enough}))
    if not kept:
        raise ZfnetError(
            f"Folds of {len(classes)} classes with {counts.min()} to {counts.max()} images: fewer than half of them "
            f"have an image left for testing after {min(sizes)} for training; set smaller training sizes in transfer."
        )
    chosen = np.flatnonzero(counts > kept[-1])
    orders = [{label: _order(labels, keys, label, fold, seed) for label in chosen.tolist()} for fold in range(folds)]
    too_few = {classes[label]: int(counts[label]) for label in np.flatnonzero(counts <= kept[-1])}
    left_out = _left_out(counts, len(classes), set(sizes) - set(kept), kept[-1], too_few)
    return Splits(kept, chosen, orders, max_test, left_out, too_few)


def _order(labels: np.ndarray, keys: Sequence[str], label: int, fold: int, seed: int) -> np.ndarray:
    members = sorted(np.flatnonzero(labels == label).tolist(), key=keys.__getitem__)
    fingerprint = int(text_hash("\n".join(keys[i] for i in members))[:16], 16)
    return np.random.default_rng([seed, fold, fingerprint]).permutation(members)


def _left_out(counts: np.ndarray, classes: int, sizes: set[int], largest: int, too_few: dict[str, int]) -> list[str]:
    return [
        *(
            f"{size} training images per class: only {(counts > size).sum()} of {classes} classes have more."
            for size in sorted(sizes)
        ),
        *(
            f"class {name}: {count} images, but {largest} for training and one for testing are needed."
            for name, count in too_few.items()
        ),
    ]
