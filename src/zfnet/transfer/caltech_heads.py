"""Heads on frozen Caltech features: Tables 4, 5 and 7, Figure 9 (ZF sect. 5.2, 5.3).

`protocol` lists which head is trained on which layer with how many training images per class. All of them share the
folds of `zfnet.transfer.splits`, so that their results are paired. Each fold chooses its own C
(`zfnet.transfer.heads.cross_validation`).
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_json
from zfnet.core.progress_bar import track
from zfnet.core.provenance import provenance
from zfnet.core.tables import write_records
from zfnet.settings import Heads, Transfer
from zfnet.transfer.extract_features import Features
from zfnet.transfer.heads.cross_validation import (
    cross_validation_bytes,
    fit_with_best_c,
    inner_folds,
    warn_if_unsolved,
)
from zfnet.transfer.heads.feature_kernel import FeatureKernel
from zfnet.transfer.heads.head import Kind
from zfnet.transfer.heads.linear import one_hot
from zfnet.transfer.metrics import class_accuracy
from zfnet.transfer.splits import Split, Splits, make_splits

COLUMNS = ["set", "head", "layer", "size", "fold", "accuracy", "c", "classes", "train_images", "test_images"]
SOFTMAX_LAYERS = ("conv5", "fc7")  # Table 7
MAIN_LAYER = "fc7"  # Tables 4 and 5, Figure 9


class Task(NamedTuple):
    """A head to train and test on every fold."""

    head: Kind
    layer: str
    size: int  # training images per class


def heads_stage(features: Features, settings: Transfer, out_csv: Path, threads: int = 2) -> None:
    """Train and test all heads of a Caltech set.

    Parameters
    ----------
    features
        Features of caltech101 or caltech256.
    out_csv
        One row per head, layer, size and fold. The .json beside it lists the folds, what was left out, how many fits
        ended before they met their tolerance ("unconverged"; each is named on stderr), how many of each head chose the
        smallest or largest C of the grid ("at_edge": a wider grid might do better), and the provenance.
    """
    torch.set_num_threads(threads)
    start = time.monotonic()
    splits = caltech_splits(features.name, features.labels, features.keys, features.classes, settings)
    tasks = protocol(splits.sizes, table_sizes(features.name, settings), settings.layers)
    rows = sorted(_run(features, splits, tasks, settings.heads), key=lambda row: (row["layer"], row["head"]))
    unconverged = sum(row.pop("unsolved") for row in rows)
    write_records(out_csv, COLUMNS, [row | {"set": features.name} for row in rows])
    write_json(
        Path(out_csv).with_suffix(".json"),
        splits.record(features.keys)
        | {"net": features.index["net"], "data": features.index["data"], "crops": features.crops}
        | {"unconverged": unconverged, "at_edge": _at_edge(rows, settings.heads)}
        | {"provenance": provenance(seed=settings.seed, seconds=time.monotonic() - start, device=str(device()))},
    )


def _at_edge(rows: list[dict[str, Any]], heads: Heads) -> dict[str, int]:
    """Return for each head how many fits chose a C at either end of its grid."""
    edges = {kind: {min(grid), max(grid)} for kind, grid in (("svm", heads.svm_c), ("softmax", heads.softmax_c))}
    return {kind: sum(row["head"] == kind and row["c"] in ends for row in rows) for kind, ends in edges.items()}


def protocol(sizes: tuple[int, ...], table: tuple[int, ...], layers: tuple[str, ...]) -> list[Task]:
    """Return the heads of Tables 4, 5, 7 and Figure 9, layer by layer.

    Parameters
    ----------
    sizes
        All training sizes that the data allow; Tables 4 and 5 and Figure 9 train a softmax on fc7 at each.
    table
        The sizes of Tables 4 and 5. Table 7 uses the largest of them that the data allow.
    layers
        The layers of Table 7: a linear SVM on each, and a softmax on conv5 and fc7.
    """
    largest = max([size for size in sizes if size in table], default=max(sizes))
    tasks = {Task("softmax", MAIN_LAYER, size) for size in sizes if MAIN_LAYER in layers}
    tasks |= {Task("svm", layer, largest) for layer in layers}
    tasks |= {Task("softmax", layer, largest) for layer in layers if layer in SOFTMAX_LAYERS}
    return sorted(tasks, key=lambda task: (task.layer, task.head, task.size))


def table_sizes(name: str, settings: Transfer) -> tuple[int, ...]:
    """Return the training sizes of Table 4 or 5, images per class.

    Raises
    ------
    ZfnetError
        `name` is neither caltech101 nor caltech256.
    """
    sizes = {"caltech101": settings.caltech101_train_sizes, "caltech256": settings.caltech256_train_sizes}
    if name not in sizes:
        raise ZfnetError(f"{name}: no training sizes are known for this set; expected {' or '.join(sizes)}.")
    return sizes[name]


def caltech_splits(
    name: str, labels: np.ndarray, keys: Sequence[str], classes: list[str], settings: Transfer
) -> Splits:
    """Draw the folds of a Caltech set: the same for heads and for nets trained from scratch."""
    sizes = table_sizes(name, settings)
    if name == "caltech256":
        sizes, max_test = sizes + settings.caltech256_curve_sizes, settings.caltech256_max_test
    else:
        max_test = settings.caltech101_max_test
    return make_splits(labels, keys, classes, sizes, max_test, settings.folds, settings.seed)


def _run(features: Features, splits: Splits, tasks: list[Task], heads: Heads) -> list[dict[str, Any]]:
    rows, opened = [], None
    for task in track(tasks, f"heads on {features.name}", len(tasks)):
        if opened != task.layer:  # tasks are ordered by layer: each is read once
            name, opened = f"{features.name}, {task.layer}", task.layer
            kernel = FeatureKernel.open(features.layer(task.layer), splits.used, device(), name)
        for fold in range(len(splits.orders)):
            rows.append(_run_fold(kernel, features.labels, splits, task, splits.split(fold, task.size), heads))
    return rows


def _run_fold(
    kernel: FeatureKernel, labels: np.ndarray, splits: Splits, task: Task, split: Split, heads: Heads
) -> dict[str, Any]:
    """Train one head on one fold and test it; return its row of the table."""
    train_labels, classes, n = labels[split.train], splits.classes, len(split.train)
    fit_bytes = cross_validation_bytes(n, kernel.dimensions(n), len(classes), task.head, heads)
    train, test = kernel.coordinates(split.train, split.test, fit_bytes)  # (n, D), (m, D)

    def accuracy(scores: np.ndarray, samples: np.ndarray) -> float:
        return class_accuracy(classes[scores.argmax(1)], train_labels[samples])

    targets = one_hot(train_labels, classes).to(train.device)
    groups = inner_folds(train_labels, heads.inner_folds)
    head, c = fit_with_best_c(train, targets, groups, task.head, heads, accuracy)
    predicted = classes[head.scores(test)[:, 0].argmax(1).cpu().numpy()]
    fit_name = f"{kernel.name}, {task.head}, {task.size} per class, fold {split.fold}, C = {c:g}"
    return {
        **task._asdict(),
        "fold": split.fold,
        "accuracy": round(class_accuracy(predicted, labels[split.test]), 4),
        "c": c,
        "classes": len(classes),
        "train_images": len(split.train),
        "test_images": len(split.test),
        "unsolved": warn_if_unsolved(head, fit_name),
    }
