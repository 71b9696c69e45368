"""Softmax heads against scikit-learn's LogisticRegression (L-BFGS): the same objective, C = 1.

102 classes with 30 training images each, as for Caltech-101 (Table 4), on layer 7. Each solver stops by its own
criterion, so the final objectives are compared too: a faster solver with a higher objective has not won.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks import activations
from benchmarks.harness import Bench, Row
from zfnet.transfer.heads.head import Head
from zfnet.transfer.heads.linear import fit, objective, one_hot

PROBLEM = {"images": 3_060, "width": 4_096, "classes": 102}


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield the seconds of a fit, and the final objectives."""
    problem = {"images": 200, "width": 30, "classes": 5} if bench.quick else PROBLEM
    folder = str(bench.work / "softmax")
    bench.side("activations:generate", folder=folder, **problem)
    size = f"{problem['images']:,} x {problem['width']:,}"
    case = f"softmax of {problem['classes']} classes, {size}, C = 1"
    yield bench.compare(case, "s", "softmax:ours", "softmax:peer", "LogisticRegression", folder=folder)
    values = {name: float(np.load(Path(folder, f"{name}.npy"))) for name in ("ours", "peer")}
    yield Row("final objective (lower is better)", values["ours"], "loss", values["peer"], "LogisticRegression")


def ours(folder: str) -> float:
    """Return the seconds of our fit."""
    x, labels = activations.read(folder)
    targets = one_hot(labels, np.unique(labels))
    start = time.perf_counter()
    head = fit(x, targets, torch.ones(len(x), 1), "softmax")
    return _save_objective(folder, "ours", time.perf_counter() - start, head, x, targets)


def peer(folder: str) -> float:
    """Return the seconds of LogisticRegression."""
    from sklearn.linear_model import LogisticRegression

    x, labels = activations.read(folder)
    rows = x.double().numpy()
    model = LogisticRegression(C=1.0, tol=1e-4, max_iter=10_000)
    start = time.perf_counter()
    model.fit(rows, labels)
    elapsed = time.perf_counter() - start
    head = Head(torch.tensor(model.coef_.T)[:, None], torch.tensor(model.intercept_)[None])
    return _save_objective(folder, "peer", elapsed, head, x, one_hot(labels, np.unique(labels)))


def _save_objective(
    folder: str, name: str, elapsed: float, head: Head, x: torch.Tensor, targets: torch.Tensor
) -> float:
    head = Head(head.weights.double(), head.biases.double())
    value = objective(head, x.double(), targets.double(), torch.ones(len(x), 1), "softmax").item()
    np.save(Path(folder, f"{name}.npy"), value)
    return elapsed
