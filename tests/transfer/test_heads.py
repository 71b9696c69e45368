"""Heads against scikit-learn, against their own gradients, and in both of their coordinates."""

import numpy as np
import pytest
import torch

from zfnet.core import memory
from zfnet.core.errors import ZfnetError
from zfnet.settings import Heads
from zfnet.transfer.heads import feature_kernel, newton
from zfnet.transfer.heads.cross_validation import cross_validation_bytes
from zfnet.transfer.heads.feature_kernel import FeatureKernel, from_gram, from_rows
from zfnet.transfer.heads.head import Head
from zfnet.transfer.heads.linear import fit, objective, one_hot
from zfnet.transfer.heads.losses import LOSSES
from zfnet.transfer.heads.preconditioner import Preconditioner

KINDS = sorted(LOSSES)


def problem(n=150, d=40, classes=5, dtype=torch.float32, seed=0):
    """Overlapping classes: features of unit size (n, d), targets (n, K), costs (n, 4) with a fifth left out."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    x = torch.randn(n, d, generator=draw, dtype=dtype) + 0.4 * torch.randn(classes, d, generator=draw)[labels]
    x = x - x.mean(0)
    costs = torch.tensor([0.01, 0.3, 10.0, 300.0], dtype=dtype).repeat(n, 1)
    costs[::7] = 0
    return x / x.square().sum(1).mean().sqrt(), one_hot(labels.numpy(), np.arange(classes)), costs


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_scikit_learn(kind, classes):
    x, targets, costs = problem(classes=classes)
    ours = fit(x, targets, costs, kind)
    theirs = fit(x.double(), targets, costs, kind, tolerance=1e-7, solver="sklearn")
    values = [objective(head, x, targets, costs, kind).double() for head in (ours, theirs)]
    torch.testing.assert_close(*values, rtol=1e-5, atol=0)
    assert (ours.scores(x).argmax(-1) == theirs.scores(x).argmax(-1)).float().mean() >= 0.995


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_vanishes_at_the_optimum(kind):
    """By automatic differentiation of the objective as it is written down, in double precision."""
    x, targets, costs = problem(dtype=torch.float64)
    head = fit(x, targets, costs, kind, tolerance=1e-14)
    found = Head(head.weights.clone().requires_grad_(), head.biases.clone().requires_grad_())
    start = Head(torch.zeros_like(head.weights).requires_grad_(), torch.zeros_like(head.biases).requires_grad_())
    slopes = []
    for at in (found, start):
        objective(at, x, targets, costs, kind).sum().backward()
        slopes.append(at.weights.grad.norm() + at.biases.grad.norm())
    assert slopes[0] < 1e-6 * slopes[1]


def test_objective_of_one_sample_by_hand():
    """w = (1, -1), b = 0.5 at x = (2, 1): f = 1.5 for the class and -1.5 for the other."""
    head = Head(torch.tensor([[[1.0, -1.0]], [[-1.0, 1.0]]]), torch.tensor([[0.5, -0.5]]))
    x, targets, costs = torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0]])
    torch.testing.assert_close(head.scores(x), torch.tensor([[[1.5, -1.5]]]))
    assert objective(head, x, targets, costs, "svm").tolist() == [[1.125, 1.125]]  # |w|²/2 + b²/2, no slack
    assert objective(head, x, targets, costs, "softmax").item() == pytest.approx(2 + 3 * np.log1p(np.exp(-3)))
    assert objective(head, x, targets, costs, "sigmoid")[0, 0].item() == pytest.approx(1 + 3 * np.log1p(np.exp(-1.5)))


def test_a_sample_of_no_cost_counts_for_nothing():
    x, targets, costs = problem()
    kept = costs[:, 0] > 0
    everything = fit(x, targets, costs, "svm", tolerance=1e-9)
    fewer = fit(x[kept], targets[kept], costs[kept], "svm", tolerance=1e-9)
    torch.testing.assert_close(everything.weights, fewer.weights, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("solver", ["zfnet", "sklearn"])
@pytest.mark.parametrize("kind", ["svm", "sigmoid"])
def test_a_sample_that_is_neither_counts_for_nothing_in_its_class_alone(kind, solver):
    """As for a picture of PASCAL in which a class is difficult."""
    x, targets, costs = problem(n=60, d=8, classes=3, dtype=torch.float64)
    neither = targets.double().clone()
    neither[:20, 1] = 0.5
    found = fit(x, neither, costs[:, 1:3], kind, 1e-12, solver)
    whole = fit(x, targets, costs[:, 1:3], kind, 1e-12)
    without = fit(x[20:], targets[20:], costs[20:, 1:3], kind, 1e-12)
    for k, expected in enumerate((whole, without, whole)):
        torch.testing.assert_close(found.weights[:, :, k], expected.weights[:, :, k], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(whole.weights[:, :, 1], without.weights[:, :, 1], atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_problems_side_by_side_equal_problems_alone(kind):
    x, targets, costs = problem(dtype=torch.float64)
    together = fit(x, targets, costs, kind, tolerance=1e-14)
    alone = fit(x, targets, costs[:, 2:3], kind, tolerance=1e-14)
    torch.testing.assert_close(together.weights[:, 2:3], alone.weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_inner_products_give_the_same_head_as_features(kind):
    x, targets, costs = problem(n=120, d=30)
    x = 5 * x + 3
    train, test = x[:90], x[90:]
    scores = []
    for a, b in (from_rows(train, test), from_gram((train @ train.T).double(), (test @ train.T).double())):
        scores.append(fit(a.double(), targets[:90], costs[:90], kind, 1e-12).scores(b.double()))
    torch.testing.assert_close(*scores, rtol=1e-3, atol=1e-3)


def test_coordinates_keep_inner_products_of_centred_scaled_features():
    x = torch.randn(50, 200, generator=torch.Generator().manual_seed(1)) * 3 + 1
    a, b = from_rows(x[:40], x[40:])
    centred = x - x[:40].mean(0)
    size = centred[:40].square().sum(1).mean()
    assert a.shape[1] < 40
    torch.testing.assert_close(a @ a.T, centred[:40] @ centred[:40].T / size, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(b @ a.T, centred[40:] @ centred[:40].T / size, rtol=1e-4, atol=1e-5)


def test_a_wide_layer_gives_what_its_rows_give():
    rows = np.random.default_rng(0).normal(size=(30, 100)).astype(np.float32)
    used, train, test = np.arange(3, 28), np.arange(4, 20), np.arange(20, 27)
    kernel = FeatureKernel.open(rows, used, torch.device("cpu"))
    assert kernel.gram is not None
    a, b = kernel.coordinates(train, test)
    c, d = from_rows(torch.from_numpy(rows[train]), torch.from_numpy(rows[test]))
    torch.testing.assert_close(b @ a.T, d @ c.T, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_inner_products_in_bf16_reach_the_same_optimum(kind, monkeypatch):
    x, targets, costs = problem()
    values = []
    for fast in (True, False):
        monkeypatch.setattr(newton, "fast_in_bf16", lambda device, fast=fast: fast)
        head = fit(x, targets, costs, kind)
        values.append(objective(head, x, targets, costs, kind).double())
    torch.testing.assert_close(*values, rtol=1e-5, atol=0)


def test_a_preconditioner_inverts_the_hessian_of_samples_that_count_alike():
    x, *_ = problem(dtype=torch.float64)
    penalty = torch.ones(x.shape[1], 1, 1, dtype=torch.float64)
    found = Preconditioner(x, penalty)
    weights = torch.tensor([[2.0], [0.25], [2.0]], dtype=torch.float64)
    vectors = torch.randn(x.shape[1], 3, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    solved = found.solve(vectors, found.levels(weights))
    assert len(found.factors) == 2
    for k, weight in enumerate(weights.flatten()):
        hessian = weight * x.T @ x + torch.eye(x.shape[1], dtype=torch.float64)
        torch.testing.assert_close(hessian @ solved[:, k], vectors[:, k], rtol=1e-4, atol=1e-4)


def test_mistakes_are_sentences():
    x, targets, costs = problem()
    with pytest.raises(ZfnetError, match="no such classifier; expected one of svm, softmax, sigmoid"):
        fit(x, targets, costs, "forest")
    with pytest.raises(ZfnetError, match=r"expected .n, d., .n, K. and .n, P."):
        fit(x, targets[1:], costs, "svm")
    with pytest.raises(ZfnetError, match=r"one sample for each .image, label. pair"):
        fit(x, torch.ones_like(targets), costs, "softmax")
    with pytest.raises(ZfnetError, match="not finite"):
        fit(x * float("nan"), targets, costs, "svm")


def test_a_wide_layer_is_read_from_its_file_in_any_blocks(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).normal(2, 1, size=(30, 101)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows)
    monkeypatch.setattr(feature_kernel, "BLOCK_BYTES", 4 * 25 * 7)
    monkeypatch.setattr(feature_kernel, "STRIPE", 9)
    used = np.arange(3, 28)
    found = feature_kernel.gram_matrix(np.load(tmp_path / "rows.npy", mmap_mode="r"), used, torch.device("cpu"))
    centred = rows[used].astype(np.float64) - rows[used].astype(np.float64).mean(0)
    torch.testing.assert_close(found, torch.from_numpy(centred @ centred.T), rtol=1e-5, atol=1e-4)


def test_too_little_memory_is_a_sentence_in_training_and_in_testing(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(60, 100)).astype(np.float32)
    kernel = FeatureKernel.open(rows, np.arange(50), torch.device("cpu"), "caltech101, layer 1")
    wanted = r"0\.\d GiB of memory are needed on cpu and 0\.\d are free; .* drop the layer from transfer.layers"
    for train, test in ((40, 1), (1, 49)):
        monkeypatch.setattr(memory, "available", lambda device, n=(train, test): kernel.bytes_needed(*n) - 1)
        with pytest.raises(ZfnetError, match=rf"caltech101, layer 1: a fold of {train} \+ {test} images: {wanted}"):
            kernel.coordinates(np.arange(train), np.arange(train, train + test))
    with pytest.raises(ZfnetError, match=rf"features: the Gram matrix of 50 images: {wanted}"):
        FeatureKernel.open(rows, np.arange(50), torch.device("cpu"))


def test_the_memory_of_the_fit_that_follows_counts_too(monkeypatch):
    """As at size 60 of Caltech-256 on layer 1: coordinates fit, the fit with its factors does not."""
    kernel = FeatureKernel(
        np.empty((60, 290_400), np.float16), torch.empty(0), np.empty(0), torch.device("cpu"), "layer 1"
    )
    fit = cross_validation_bytes(15_420, kernel.dimensions(15_420), 257, "svm", Heads())
    assert kernel.bytes_needed(15_420, 6_425) < 11e9 < kernel.bytes_needed(15_420, 6_425, fit) < 14e9
    monkeypatch.setattr(memory, "available", lambda device: int(11e9))
    with pytest.raises(ZfnetError, match=r"layer 1: a fold of 15,420 \+ 6,425 images: 1\d\.\d GiB of memory"):
        kernel.coordinates(np.arange(15_420), np.arange(6_425), fit)


@pytest.mark.parametrize(("line", "base", "names"), [
    ("0::/job/step", "", ("memory.max", "memory.current", "file")),
    ("4:memory:/job/step", "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache")),
])  # fmt: skip
def test_a_job_s_limit_counts_and_its_cache_of_files_is_free(tmp_path, line, base, names):
    own, job = tmp_path / "own", tmp_path / base / "job"
    (job / "step").mkdir(parents=True)
    own.write_text(f"7:cpu:/job\n{line}\n")
    assert memory.left_to_job(tmp_path, own) == np.inf
    for name, text in zip(names[:2], ("1000", "700"), strict=True):
        (job / name).write_text(text)
    (job / "memory.stat").write_text(f"{names[2]} 250\nother 3\n")
    assert memory.left_to_job(tmp_path, own) == 1000 - 700 + 250
    assert memory.left_to_job(tmp_path, tmp_path / "none") == np.inf
