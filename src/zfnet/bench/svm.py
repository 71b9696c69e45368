"""Linear SVMs of all classes at once against scikit-learn's LinearSVC, and the Gram matrix of layer 1.

Caltech-256 with 60 training pictures per class on layer 7: 257 classes, 15,420 pictures, 4,096 features. LinearSVC fits
one class after the other, so its time for all of them is estimated from some of them. Both minimise the same objective
(`zfnet.transfer.heads`); LinearSVC gets its float64 rows ready, and its dual solver, which is its fastest here.

Layer 1 of Caltech-101 has 290,400 numbers a picture; its Gram matrix is made from a file that does not fit into memory.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from zfnet.bench import activations
from zfnet.bench.harness import Bench, Row
from zfnet.transfer.coordinates import gram_matrix
from zfnet.transfer.heads import Head, fit, objective, one_hot

PROBLEM = {"images": 15_420, "width": 4_096, "classes": 257}
LAYER_1 = {"images": 9_000, "width": 290_400}
SAMPLE = 16  # classes that LinearSVC fits


def results(bench: Bench) -> Iterator[Row | str]:
    """Seconds of a fit, agreement of the objectives, and the Gram matrix's seconds and memory."""
    problem = {"images": 300, "width": 40, "classes": 6} if bench.quick else PROBLEM
    sample = 3 if bench.quick else SAMPLE
    folder = str(bench.work / "svm")
    bench.side("activations:draw", folder=folder, **problem)
    ours = bench.side("svm:all_classes", folder=folder)
    peer = bench.side("svm:some_classes", folder=folder, sample=sample)
    classes, size = problem["classes"], f"{problem['images']:,} x {problem['width']:,}"
    case = f"SVM of {classes} classes, {size}, C = 1 (LinearSVC: {sample} classes, scaled)"
    yield Row(case, ours.value, "s", peer.value * classes / sample, "LinearSVC", ours.peak_mb)
    yield Row(f"largest relative difference of {sample} objectives", _difference(folder, sample), "relative")
    yield (
        f"LinearSVC's time is an estimate: {peer.value:.1f} s for {sample} classes, times {classes}/{sample}, with "
        f"{peer.peak_mb:,.0f} MB; ours is the whole fit."
    )
    yield from _gram(bench)


def all_classes(folder: str) -> float:
    """Fit all classes; give the seconds and leave their objectives beside the features."""
    x, labels = activations.read(folder)
    targets, costs = one_hot(labels, np.unique(labels)), torch.ones(len(x), 1)
    start = time.perf_counter()
    head = fit(x, targets, costs, "svm")
    took = time.perf_counter() - start
    np.save(Path(folder, "ours.npy"), _objectives(head, x, targets))
    return took


def some_classes(folder: str, sample: int) -> float:
    """Fit the first `sample` classes by LinearSVC; give the seconds and leave their objectives."""
    from sklearn.svm import LinearSVC

    x, labels = activations.read(folder)
    rows, weights, biases, took = x.double().numpy(), [], [], 0.0
    for k in range(sample):
        model = LinearSVC(C=1.0, dual=True, max_iter=10_000, random_state=0)
        start = time.perf_counter()
        model.fit(rows, labels == k)
        took += time.perf_counter() - start
        weights.append(model.coef_[0])
        biases.append(model.intercept_[0])
    head = Head(torch.tensor(np.stack(weights, 1))[:, None], torch.tensor(np.array(biases))[None])
    np.save(Path(folder, "peer.npy"), _objectives(head, x, one_hot(labels, np.arange(sample))))
    return took


def _objectives(head: Head, x: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    head = Head(head.weights.double(), head.biases.double())
    return objective(head, x.double(), targets.double(), torch.ones(len(x), 1), "svm")[0].numpy()


def _difference(folder: str, sample: int) -> float:
    ours, peer = (np.load(Path(folder, f"{name}.npy"))[:sample] for name in ("ours", "peer"))
    return float(np.abs(ours / peer - 1).max())


def _gram(bench: Bench) -> Iterator[Row | str]:
    """Seconds and memory of the Gram matrix, from a file that is drawn first and deleted after."""
    size = {"images": 60, "width": 500} if bench.quick else LAYER_1
    path = bench.work / "layer-1.npy"
    room, needs = shutil.disk_usage(bench.work).free, 2 * size["images"] * size["width"]
    if room < 1.2 * needs:
        yield f"Gram matrix of layer 1: not run, {needs / 2**30:.1f} GiB are needed in {bench.work}."
        return
    bench.side("svm:draw_layer", path=str(path), **size)
    found = bench.side("svm:gram", path=str(path))
    case = f"Gram matrix of layer 1, {size['images']:,} x {size['width']:,} in fp16"
    yield Row(case, found.value, "s", peak_mb=found.peak_mb)
    yield f"The Gram matrix took {found.peak_mb / 1024:.2f} GiB of memory; float32 features are {needs / 2**29:.1f}."
    path.unlink()


def draw_layer(path: str, images: int, width: int) -> float:
    """Write float16 (images, width) activations, a few rows at a time."""
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (images, width))
    rng, part = np.random.default_rng(0), 50
    drawn = rng.standard_normal((part, width), dtype=np.float32).clip(0)
    for first in range(0, images, part):
        rows[first : first + part] = np.roll(drawn, first, 1)[: len(rows[first : first + part])]
    rows.flush()
    return float(images)


def gram(path: str) -> float:
    """Give the seconds of the Gram matrix of all rows."""
    rows = np.load(path, mmap_mode="r")
    start = time.perf_counter()
    gram_matrix(rows, np.arange(len(rows)), torch.device("cpu"))
    return time.perf_counter() - start
