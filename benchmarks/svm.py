"""Linear SVMs of all classes at once against scikit-learn's LinearSVC, and the time from layer-1 features to a head.

Caltech-256 with 60 training images per class on layer 7: 257 classes, 15,420 images, 4,096 features. LinearSVC fits one
class after the other, so its time for all classes is estimated from some. Both minimise the same objective
(`zfnet.transfer.heads.linear`). LinearSVC gets float64 rows prepared, and uses its dual solver, its fastest here.

Layer 1 of Caltech-101 has 290,400 features per image, 10.5 GB in a file that is read block by block. The steps are
those of `zfnet.transfer.caltech_heads`: the Gram matrix of all images, from it the coordinates of one fold with 30
training images per class, and in them one SVM. Features and labels are random, so only time and memory are meaningful.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks import activations
from benchmarks.harness import Bench, Row
from zfnet.core.files import read_json, write_json
from zfnet.transfer.heads.feature_kernel import FeatureKernel
from zfnet.transfer.heads.head import Head
from zfnet.transfer.heads.linear import fit, objective, one_hot

PROBLEM = {"images": 15_420, "width": 4_096, "classes": 257}
LAYER_1 = {"images": 9_000, "width": 290_400}
FOLD = {"train": 3_060, "test": 5_000, "classes": 102}
SAMPLE = 16  # classes that LinearSVC fits


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield the seconds of a fit, the agreement of the objectives, and the time and memory of a head on layer 1."""
    problem = {"images": 300, "width": 40, "classes": 6} if bench.quick else PROBLEM
    sample = 3 if bench.quick else SAMPLE
    folder = str(bench.work / "svm")
    bench.side("activations:generate", folder=folder, **problem)
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
    yield from _layer_1(bench)


def all_classes(folder: str) -> float:
    """Fit all classes, save their objectives next to the features, and return the seconds."""
    x, labels = activations.read(folder)
    targets, costs = one_hot(labels, np.unique(labels)), torch.ones(len(x), 1)
    start = time.perf_counter()
    head = fit(x, targets, costs, "svm")
    elapsed = time.perf_counter() - start
    np.save(Path(folder, "ours.npy"), _objectives(head, x, targets))
    return elapsed


def some_classes(folder: str, sample: int) -> float:
    """Fit the first `sample` classes with LinearSVC, save their objectives, and return the seconds."""
    from sklearn.svm import LinearSVC

    x, labels = activations.read(folder)
    rows, weights, biases, elapsed = x.double().numpy(), [], [], 0.0
    for k in range(sample):
        model = LinearSVC(C=1.0, dual=True, max_iter=10_000, random_state=0)
        start = time.perf_counter()
        model.fit(rows, labels == k)
        elapsed += time.perf_counter() - start
        weights.append(model.coef_[0])
        biases.append(model.intercept_[0])
    head = Head(torch.tensor(np.stack(weights, 1))[:, None], torch.tensor(np.array(biases))[None])
    np.save(Path(folder, "peer.npy"), _objectives(head, x, one_hot(labels, np.arange(sample))))
    return elapsed


def _objectives(head: Head, x: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    head = Head(head.weights.double(), head.biases.double())
    return objective(head, x.double(), targets.double(), torch.ones(len(x), 1), "svm")[0].numpy()


def _difference(folder: str, sample: int) -> float:
    ours, peer = (np.load(Path(folder, f"{name}.npy"))[:sample] for name in ("ours", "peer"))
    return float(np.abs(ours / peer - 1).max())


def _layer_1(bench: Bench) -> Iterator[Row | str]:
    """Yield the time and memory from the features of layer 1 to a head; their file is generated and then deleted."""
    size = {"images": 60, "width": 500} if bench.quick else LAYER_1
    fold = {"train": 30, "test": 20, "classes": 3} if bench.quick else FOLD
    path, times = bench.work / "conv1.npy", bench.work / "conv1.json"
    free, needed = shutil.disk_usage(bench.work).free, 4 * size["images"] * size["width"]
    if free < 1.2 * needed:
        yield f"Heads on layer 1: not run, because {needed / 2**30:.1f} GiB are needed in {bench.work}."
        return
    bench.side("svm:generate_layer", path=str(path), **size)
    side = bench.side("svm:head_on_layer", path=str(path), times=str(times), **fold)
    path.unlink()
    case = f"conv1 in fp32, {size['images']:,} x {size['width']:,}: Gram matrix, one fold, SVM of {fold['classes']}"
    yield Row(f"{case} classes", side.value, "s", peak_mb=side.peak_mb)
    yield _breakdown(read_json(times), fold, side.peak_mb, needed)


def _breakdown(seconds: dict[str, float], fold: dict[str, int], peak_mb: float, feature_bytes: int) -> str:
    return (
        f"Layer 1: the Gram matrix took {seconds['gram']:,.1f} s, the coordinates of {fold['train']:,} training and "
        f"{fold['test']:,} test images {seconds['coordinates']:,.1f} s, the SVM at C = 1 {seconds['head']:,.1f} s, "
        f"with {peak_mb / 1024:.2f} GiB of memory; the features are {feature_bytes / 2**30:.1f} GiB. Features "
        "and labels are random, so only time and memory are meaningful. For the tables, a fold also cross-validates C."
    )


def generate_layer(path: str, images: int, width: int) -> float:
    """Write float32 (images, width) activations, a few rows at a time."""
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (images, width))
    rng, step = np.random.default_rng(0), 50
    block = rng.standard_normal((step, width), dtype=np.float32).clip(0)
    for first in range(0, images, step):
        rows[first : first + step] = np.roll(block, first, 1)[: len(rows[first : first + step])]
    rows.flush()
    return float(images)


def head_on_layer(path: str, times: str, train: int, test: int, classes: int) -> float:
    """Train and test one SVM on one fold, save the seconds of each part, and return their sum."""
    rows = np.load(path, mmap_mode="r")
    order = np.random.default_rng(0).permutation(len(rows))[: train + test]
    targets = one_hot(np.arange(train) % classes, np.arange(classes))  # random labels, since the order is random
    clock = [time.perf_counter()]
    kernel = FeatureKernel.open(rows, np.arange(len(rows)), torch.device("cpu"))
    clock.append(time.perf_counter())
    x, x_test = kernel.coordinates(order[:train], order[train:])
    clock.append(time.perf_counter())
    fit(x, targets, torch.ones(train, 1), "svm").scores(x_test)
    clock.append(time.perf_counter())
    write_json(times, dict(zip(("gram", "coordinates", "head"), np.diff(clock).tolist(), strict=True)))
    return clock[-1] - clock[0]
