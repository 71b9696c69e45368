"""Whether a fit met its tolerance is told: by the head, and by the stages in a number and a sentence."""

import functools

import pytest
import torch
from test_heads import KINDS, problem
from test_transfer_stages import HEADS, clusters

from zfnet.core.files import read_json
from zfnet.settings import Transfer
from zfnet.transfer.caltech_heads import heads_stage
from zfnet.transfer.extract_features import Features
from zfnet.transfer.heads import newton, sklearn_solver
from zfnet.transfer.heads.head import Head
from zfnet.transfer.heads.linear import fit, objective
from zfnet.transfer.heads.newton import Newton
from zfnet.transfer.voc_heads import voc_stage


def excess(head, x, targets, costs, kind):
    """How far the objectives are above those of a tight fit in double precision, relative, as `Head.solved`."""
    x, costs = x.double(), costs.double()
    best = fit(x, targets, costs, kind, tolerance=1e-13)
    reached = Head(head.weights.double(), head.biases.double())
    values = [objective(one, x, targets.double(), costs, kind) for one in (reached, best)]
    return values[0] / values[1] - 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_normal_fit_says_that_it_is_solved(kind, dtype):
    x, targets, costs = problem(dtype=dtype)
    head = fit(x, targets, costs, kind)
    assert head.solved.shape == (4, 1 if kind == "softmax" else 5) and head.solved.all()
    assert excess(head, x, targets, costs, kind).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_that_ran_out_of_steps_says_so_and_what_says_solved_is(kind, monkeypatch):
    x, targets, costs = problem()
    shares = []
    for steps in (1, 2, 3, 4, 6, 8):
        monkeypatch.setattr(newton, "NEWTON_ITERATIONS", steps)
        head = fit(x, targets, costs, kind)
        monkeypatch.undo()
        left = excess(head, x, targets, costs, kind)
        assert (left[head.solved] < 1e-5).all() and (steps > 1 or (left > 1e-3).any())
        shares.append(head.solved.float().mean().item())
    assert shares[0] == 0 and shares[-1] > 0.5 and any(0 < share < 1 for share in shares)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stops", [0, 3, 5])
def test_where_no_step_helps_a_head_is_solved_only_if_little_was_promised(kind, stops, monkeypatch):
    """As if rounding hid all gains from some step on."""
    x, targets, costs = problem()
    real, calls = Newton._line_search, []

    def none_from_then_on(*arguments):
        calls.append(1)
        return real(*arguments) * (len(calls) <= stops)

    monkeypatch.setattr(Newton, "_line_search", none_from_then_on)
    head = fit(x, targets, costs, kind)
    monkeypatch.undo()
    left = excess(head, x, targets, costs, kind)
    assert len(calls) <= stops + 1
    assert (left[head.solved] < 2e-5).all() and (
        left[~head.solved] > 1e-9
    ).all()  # scores may move where that hardly does
    assert head.solved.any() == (stops > 0) and not head.solved.all()


def test_single_precision_may_be_solved_where_its_gradient_cannot_show_it():
    """At high costs |g|²/2 stays above the tolerance whatever the head; what a step promises does not."""
    x, targets, _ = problem(400, 300)
    costs = torch.full((len(x), 1), 3000.0)
    head = fit(x, targets, costs, "svm")
    at = Head(head.weights.double().requires_grad_(), head.biases.double().requires_grad_())
    values = objective(at, x.double(), targets.double(), costs.double(), "svm")
    values.sum().backward()
    bounds = (at.weights.grad.square().sum(0) + at.biases.grad.square()) / 2 / values
    assert (bounds > 1e-5).any() and head.solved.all()
    assert excess(head, x, targets, costs, "svm").max() < 1e-5


def test_costs_too_high_for_single_precision_are_reported():
    x, targets, _ = problem(60, 50)
    costs = torch.full((len(x), 1), 1e6)
    head = fit(x, targets, costs, "svm")
    left = excess(head, x, targets, costs, "svm")
    assert (left[head.solved] < 2e-5).all()  # at 1e6 it depends on the machine's rounding which heads are solved
    higher = fit(x, targets, 10 * costs, "svm")
    assert excess(higher, x, targets, 10 * costs, "svm")[~higher.solved].max() > 1e-3


@pytest.mark.parametrize(("n", "d", "classes"), [(300, 40, 10), (400, 300, 20)])
def test_a_free_bias_of_little_curvature_is_found_as_exactly(n, d, classes):
    """Few of one class, and a small C: here |g|²/2 would be no bound."""
    x, targets, _ = problem(n, d, classes)
    costs = torch.full((n, 1), 0.03)
    assert excess(fit(x, targets, costs, "sigmoid"), x, targets, costs, "sigmoid").max() < 1.1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_without_samples_needs_few_steps(kind, monkeypatch):
    """The free bias of a sigmoid then has no optimum: each step lowers the objective by the same share of it."""
    x, targets, costs = problem()
    targets = torch.cat([targets, torch.zeros(len(targets), 1)], 1)
    monkeypatch.setattr(newton, "NEWTON_ITERATIONS", 60)
    head = fit(x, targets, costs, kind)
    assert head.solved.all()


@pytest.mark.parametrize("kind", KINDS)
def test_warnings_of_scikit_learn_are_counted(kind, monkeypatch):
    x, targets, costs = problem()
    assert fit(x, targets, costs[:, 1:2], kind, solver="sklearn").solved.all()
    for name in ("LinearSVC", "LogisticRegression"):
        model = getattr(sklearn_solver, name)
        monkeypatch.setattr(sklearn_solver, name, functools.partial(_hurried, model))
    head = fit(x, targets, costs[:, 1:2], kind, solver="sklearn")
    assert head.solved.shape == (1, 1 if kind == "softmax" else 5) and not head.solved.any()


def _hurried(model, max_iter, **options):
    return model(max_iter=1, **options)


def test_heads_stage_counts_and_names_fits_that_are_not_solved(write_features, tmp_path, monkeypatch, capsys):
    labels, rows = clusters([12, 12, 12], 20, 1.0)
    folder = write_features("caltech101", labels, {"conv5": rows, "fc7": rows}, ["a", "b", "c"])
    settings = Transfer(layers=("conv5", "fc7"), caltech101_train_sizes=(3, 8), folds=2, heads=HEADS)
    heads_stage(Features(folder), settings, tmp_path / "t.csv", threads=1)
    assert read_json(tmp_path / "t.json")["unconverged"] == 0 and "problems ended" not in capsys.readouterr().err
    text = (tmp_path / "t.csv").read_text()
    monkeypatch.setattr(newton, "NEWTON_ITERATIONS", 1)
    heads_stage(Features(folder), settings, tmp_path / "t.csv", threads=1)
    said = [line for line in capsys.readouterr().err.splitlines() if "problems ended before" in line]
    assert read_json(tmp_path / "t.json")["unconverged"] == len(said) == len(text.splitlines()) - 1 == 2 * 5
    assert sum("caltech101, conv5, svm, 8 per class, fold 1, C = " in line for line in said) == 1
    assert sum("caltech101, fc7, softmax, 3 per class, fold 0, C = " in line for line in said) == 1
    assert all("3 of 3 problems" in line for line in said if "svm" in line)


def test_voc_stage_counts_and_names_fits_that_are_not_solved(write_features, tmp_path, monkeypatch, capsys):
    labels, rows = clusters([30, 30], 20, 0.4)
    boxes = [[{"name": "ab"[k], "difficult": 0, "box": [1, 1, 2, 2]}] for k in labels]
    annotations = [{"objects": box, "set": "val" if i % 3 else "train"} for i, box in enumerate(boxes)]
    folder = write_features("voc2012", labels, {"fc7": rows}, ["a", "b"], annotations)
    for steps, count in ((newton.NEWTON_ITERATIONS, 0), (1, 2)):
        monkeypatch.setattr(newton, "NEWTON_ITERATIONS", steps)
        voc_stage(Features(folder), Transfer(heads=HEADS), tmp_path / "ap.csv", threads=1)
        said = [line for line in capsys.readouterr().err.splitlines() if "problems ended before" in line]
        assert read_json(tmp_path / "ap.json")["unconverged"] == len(said) == count
    assert "voc2012, fc7, softmax of 20 images, C = " in said[0] and ": 1 of 1 problems" in said[0]
    assert "sigmoid" in said[1] and ": 2 of 2 problems" in said[1]
