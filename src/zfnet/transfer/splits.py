"""Train/test folds of the Caltech sets (ZF sect. 5.2, D24), the same for every head, layer and net from scratch.

In each fold every class puts its pictures into a random order. The first `size` are for training, so that a smaller
training set is part of a larger one, and the pictures after the largest size, at most `test` of them, are for testing,
so that all sizes share one test set. An order depends on the seed, the fold and the class's own pictures only.
"""

from dataclasses import dataclass

import numpy as np

from zfnet.core.errors import ZfnetError
from zfnet.core.files import text_hash


@dataclass(frozen=True)
class Split:
    """Picture numbers of one fold at one training size."""

    fold: int
    size: int
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Splits:
    """All folds of a data set.

    sizes : training pictures per class, ascending;  classes : labels that take part, ascending
    orders : per fold and class, the picture numbers in their random order
    left_out : one sentence for each size and class that had to be left out
    too_few : the classes left out, and how many pictures they have
    """

    sizes: tuple[int, ...]
    classes: np.ndarray
    orders: list[dict[int, np.ndarray]]
    test: int
    left_out: list[str]
    too_few: dict[str, int]

    def __iter__(self):
        """Yield a `Split` for every fold and size."""
        for fold in range(len(self.orders)):
            for size in self.sizes:
                yield self.split(fold, size)

    def split(self, fold: int, size: int) -> Split:
        """Give fold `fold` at `size` training pictures per class."""
        orders, last = self.orders[fold], self.sizes[-1]
        train = np.concatenate([orders[label][:size] for label in self.classes])
        test = np.concatenate([orders[label][last : last + self.test] for label in self.classes])
        return Split(fold, size, train, test)

    @property
    def used(self) -> np.ndarray:
        """All pictures that any fold trains or tests on, ascending."""
        return np.unique(np.concatenate([np.r_[split.train, split.test] for split in self]))

    def record(self, keys: list[str]) -> dict:
        """Describe the folds with the pictures' keys, as JSON."""
        folds = [{"train": [keys[i] for i in s.train], "test": [keys[i] for i in s.test]} for s in self._largest()]
        return {"sizes": self.sizes, "left_out": self.left_out, "too_few": self.too_few, "folds": folds}

    def _largest(self) -> list[Split]:
        return [self.split(fold, self.sizes[-1]) for fold in range(len(self.orders))]


def make_splits(
    labels: np.ndarray, keys: list[str], classes: list[str], sizes: tuple[int, ...], test: int, folds: int, seed: int
) -> Splits:
    """Draw the folds.

    Parameters
    ----------
    labels : int (N,)
        Class of each picture, an index of `classes`.
    keys
        Unique name of each picture; with them the folds do not depend on the order of an archive.
    sizes, test
        Training pictures per class, and test pictures per class at most.

    Notes
    -----
    A size is left out unless half of the classes, and at least two, can serve it with one picture left for testing; so
    are the classes that cannot serve the largest size that remains, from all sizes, since accuracies at different
    sizes or of different layers are only comparable over the same classes.

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
            f"Folds of {len(classes)} classes with {counts.min()} to {counts.max()} pictures: fewer than half of them "
            f"have a picture left for testing after {min(sizes)} for training; ask for smaller sizes in transfer."
        )
    chosen = np.flatnonzero(counts > kept[-1])
    orders = [{label: _order(labels, keys, label, fold, seed) for label in chosen.tolist()} for fold in range(folds)]
    too_few = {classes[label]: int(counts[label]) for label in np.flatnonzero(counts <= kept[-1])}
    return Splits(
        kept, chosen, orders, test, _reasons(counts, len(classes), set(sizes) - set(kept), kept[-1], too_few), too_few
    )


def _order(labels: np.ndarray, keys: list[str], label: int, fold: int, seed: int) -> np.ndarray:
    members = sorted(np.flatnonzero(labels == label).tolist(), key=keys.__getitem__)
    fingerprint = int(text_hash("\n".join(keys[i] for i in members))[:16], 16)
    return np.random.default_rng([seed, fold, fingerprint]).permutation(members)


def _reasons(counts: np.ndarray, classes: int, sizes: set[int], largest: int, too_few: dict[str, int]) -> list[str]:
    return [
        *(
            f"{size} training pictures per class: only {(counts > size).sum()} of {classes} classes have more."
            for size in sorted(sizes)
        ),
        *(
            f"class {name}: {count} pictures, where {largest} for training and one for testing are needed."
            for name, count in too_few.items()
        ),
    ]
