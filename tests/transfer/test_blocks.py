"""Heads solved in blocks: the same heads as all at once, in memory that is known before."""

import json
import subprocess
import sys

import pytest
import torch
from test_heads import KINDS, problem

from zfnet.transfer.heads import blocks, preconditioner
from zfnet.transfer.heads.linear import fit
from zfnet.transfer.heads.newton import Newton
from zfnet.transfer.heads.preconditioner import Preconditioner

MEASURED = """
import json, sys
import numpy as np, torch
from zfnet.settings import Heads
from zfnet.transfer.heads import blocks
from zfnet.transfer.heads.feature_kernel import FeatureKernel
from zfnet.transfer.heads.linear import one_hot
from zfnet.transfer.heads.cross_validation import cross_validation_bytes, fit_with_best_c, inner_folds

kind, n, width, classes, working = json.loads(sys.argv[1])
torch.set_num_threads(2)
blocks.WORKING_BYTES = working or blocks.WORKING_BYTES


def chosen(n, width, classes):
    labels = np.arange(2 * n) % classes
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((2 * n, width), dtype=np.float32)
    rows += draw.standard_normal((classes, width), dtype=np.float32)[labels]
    kernel = FeatureKernel.open(rows, np.arange(2 * n), torch.device("cpu"))
    targets, groups = one_hot(labels[:n], np.arange(classes)), inner_folds(labels[:n], 3)
    fit = cross_validation_bytes(n, kernel.dimensions(n), classes, kind, heads)
    before = held("VmRSS")
    x, test = kernel.coordinates(np.arange(n), np.arange(n, 2 * n), fit)
    fit_with_best_c(x, targets, groups, kind, heads, lambda scores, members: scores.mean())
    return before, kernel.bytes_needed(n, n, fit)


def held(field):  # VmHWM: the most so far; getrusage would count that of the process that started this one, too
    return 1024 * int(open("/proc/self/status").read().split(field + ":")[1].split()[0])


heads = Heads(svm_c=(0.01, 0.1, 1, 10), softmax_c=(0.1, 1, 10, 100), tolerance=1e-2)
chosen(60, 30, 3)  # libraries get ready
before, needed = chosen(n, width, classes)
print(json.dumps([held("VmHWM") - before, needed]))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_give_the_same_heads_in_the_same_order(kind, monkeypatch):
    x, targets, costs = problem(dtype=torch.float64)
    costs = costs[:, [2, 0, 3, 1]]
    together = fit(x, targets, costs, kind, tolerance=1e-14)
    blocks_seen, solve = [], Newton.solve

    def watched(newton, *arguments):
        found = solve(newton, *arguments)
        blocks_seen.append(len(found[1]))
        return found

    monkeypatch.setattr(Newton, "solve", watched)
    for budget, most in ((1, 1), (2.5 * 8 * blocks.ARRAYS * (150 + 41) * (5 if kind == "softmax" else 1), 2)):
        monkeypatch.setattr(blocks, "WORKING_BYTES", int(budget))
        blocks_seen.clear()
        apart = fit(x, targets, costs, kind, tolerance=1e-14)
        assert max(blocks_seen) == most and sum(blocks_seen) == (4 if kind == "softmax" else 20)
        torch.testing.assert_close(apart.weights, together.weights, rtol=1e-6, atol=1e-7)
        biases = [head.biases - (kind == "softmax") * head.biases.mean(1, keepdim=True) for head in (apart, together)]
        torch.testing.assert_close(*biases, rtol=1e-6, atol=1e-7)  # one number more in all of a softmax changes nothing
        assert apart.solved.shape == together.solved.shape and apart.solved.all()


def test_few_factors_are_held_however_far_apart_the_heads_are():
    x, *_ = problem(dtype=torch.float64)
    found = Preconditioner(x, torch.ones(x.shape[1], 1, 1, dtype=torch.float64))
    weights = torch.logspace(-12, 9, 60, base=2, dtype=torch.float64)[:, None]
    levels = found.levels(weights)
    assert 1 < len(found.factors) <= preconditioner.FACTORS and set(levels.flatten().tolist()) == set(found.factors)
    assert (levels - weights.log2().clamp_min(-found.trace.log2().item())).abs().max() <= 4  # half of a step of 8
    found.levels(weights[-3:])
    assert set(found.factors) == {8, 9}  # as fine as they can be


@pytest.mark.parametrize("kind", KINDS)
def test_few_factors_reach_the_same_optimum(kind, monkeypatch):
    x, targets, costs = problem(dtype=torch.float64)
    found = []
    for factors in (1, 50):
        monkeypatch.setattr(preconditioner, "FACTORS", factors)
        found.append(fit(x, targets, costs, kind, tolerance=1e-14).weights)
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.parametrize(
    ("kind", "n", "width", "classes", "working"),
    [
        ("svm", 3000, 1200, 40, None),  # from rows
        ("svm", 3000, 1200, 40, 64 << 20),  # in several blocks
        ("svm", 1500, 4000, 40, None),  # from inner products
        ("softmax", 1500, 4000, 40, 1),  # a problem at a time
        ("sigmoid", 8000, 200, 40, None),  # scores are larger than weights
    ],
)
def test_a_fit_takes_no_more_memory_than_was_asked_for(kind, n, width, classes, working):
    command = [sys.executable, "-c", MEASURED, json.dumps([kind, n, width, classes, working])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    taken, needed = json.loads(done.stdout)
    assert needed / 4 < taken <= needed, f"{taken / 2**20:.0f} of {needed / 2**20:.0f} MiB"
