"""Heads against scikit-learn on pictures that neither has seen: the same objective, the same predictions.

The features are given to scikit-learn as they are, centred and scaled in double precision, and to ours by way of
`FeatureKernel`, whose coordinates are others where there are more features than training pictures.
"""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from zfnet.settings import Heads
from zfnet.transfer.heads.feature_kernel import FeatureKernel
from zfnet.transfer.heads.head import Head
from zfnet.transfer.heads.linear import fit, objective, one_hot

TESTED, CLASSES = 1500, 6
GRIDS = {"svm": Heads().svm_c, "softmax": (0.01, 1.0, 100.0)}


def overlapping(n, d, classes=CLASSES, seed=None):
    """Features (n + TESTED, d) and labels: clusters in 8 dimensions, mixed, in noise; a third cannot be told apart."""
    draw = np.random.default_rng(d if seed is None else seed)
    labels = np.arange(n + TESTED) % classes
    hidden = draw.normal(size=(classes, 8))[labels] + 1.3 * draw.normal(size=(n + TESTED, 8))
    rows = hidden @ draw.normal(size=(8, d)) + 2 * draw.normal(size=(n + TESTED, d)) + 3
    return rows.astype(np.float32), labels


def peer(kind, c):
    if kind == "svm":
        return LinearSVC(C=c, tol=1e-9, dual="auto", max_iter=200_000, random_state=0)
    return LogisticRegression(C=c, tol=1e-7, max_iter=20_000)


@pytest.mark.parametrize("seed", range(4))
def test_a_small_c_predicts_as_the_optimum_does(seed):
    """Many classes and a small C: scores differ by little where the objective hardly feels it."""
    rows, labels = overlapping(600, 40, classes=20, seed=seed)
    kernel = FeatureKernel.open(rows, np.arange(len(rows)), torch.device("cpu"))
    x, tested = kernel.coordinates(np.arange(600), np.arange(600, len(rows)))
    targets, costs = one_hot(labels[:600], np.arange(20)), torch.tensor([0.01, 0.1]).repeat(600, 1)
    for kind in GRIDS:
        ours = fit(x, targets, costs, kind).scores(tested).argmax(-1)
        best = fit(x.double(), targets, costs.double(), kind, 1e-12).scores(tested.double()).argmax(-1)
        assert ((ours == best).double().mean(0) >= 0.995).all()


@pytest.mark.parametrize(
    ("n", "d", "by_products"),
    [(600, 40, False), (240, 500, False), (240, 1800, True)],
    ids=["rows", "wider than trained on", "inner products"],
)
@pytest.mark.parametrize("kind", GRIDS)
def test_unseen_images_get_the_same_labels_from_the_same_optimum(kind, n, d, by_products):
    rows, labels = overlapping(n, d)
    kernel = FeatureKernel.open(rows, np.arange(len(rows)), torch.device("cpu"))
    assert (kernel.gram is not None) == by_products
    x, tested = kernel.coordinates(np.arange(n), np.arange(n, len(rows)))
    targets, grid = one_hot(labels[:n], np.arange(CLASSES)), GRIDS[kind]
    ours = fit(x, targets, torch.tensor(grid).repeat(n, 1), kind)
    predicted = ours.scores(tested).argmax(-1).numpy()
    features = rows.astype(np.float64) - rows[:n].mean(0, dtype=np.float64)
    features /= np.sqrt(np.square(features[:n]).sum(1).mean())
    for i, c in enumerate(grid):
        model = peer(kind, c).fit(features[:n], labels[:n])
        expected = model.predict(features[n:])
        assert 0.4 < (expected == labels[n:]).mean() < 0.9  # neither chance nor trivial
        assert (predicted[:, i] == expected).mean() >= 0.995
        theirs = Head(torch.from_numpy(model.coef_.T)[:, None], torch.from_numpy(model.intercept_)[None])
        mine = Head(ours.weights[:, i : i + 1].double(), ours.biases[i : i + 1].double())
        costs = torch.full((n, 1), c, dtype=torch.float64)
        sides = ((mine, x.double()), (theirs, torch.from_numpy(features[:n])))
        values = [objective(head, seen, targets.double(), costs, kind) for head, seen in sides]
        torch.testing.assert_close(*values, rtol=1e-5, atol=0)
