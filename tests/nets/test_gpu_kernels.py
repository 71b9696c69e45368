"""Kernels are tried before they are used, and whatever their failure is, torch's operation takes their place."""

import pytest
import torch

from zfnet.nets import contrast_norm, gpu_kernels
from zfnet.nets.contrast_norm import ContrastNorm


class OutOfResourcesError(Exception):
    """As Triton's errors, it has no base class but Exception."""


@pytest.fixture(autouse=True)
def untried():
    gpu_kernels.forget()
    yield
    gpu_kernels.forget()


class OnGpu(torch.Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = True


@pytest.mark.parametrize(
    "error",
    [
        OutOfResourcesError("out of resource: shared memory\nand more"),
        AssertionError("libcuda.so cannot be found"),
        RuntimeError("no C compiler"),
        ImportError("no triton"),
    ],
)
def test_a_norm_whose_kernels_fail_in_any_way_is_torchs(monkeypatch, capsys, error):
    trials = []

    def fail(*form):
        trials.append(form)
        raise error

    monkeypatch.setattr(contrast_norm, "_try_kernels", fail)
    x = torch.randn(2, 6, 3, 3)
    for _ in range(2):
        found = ContrastNorm()(x.as_subclass(OnGpu))
    assert torch.equal(found.as_subclass(torch.Tensor), ContrastNorm()(x))
    reason = str(error).splitlines()[0]
    assert capsys.readouterr().out == f"The contrast norm runs without its GPU kernels, which is slower: {reason}\n"
    assert len(trials) == 1 and not gpu_kernels.used("contrast norm")


def test_each_form_is_tried_once_and_one_failure_ends_them_all(capsys):
    trials = []

    def trial(form):
        trials.append(form)
        if form == 256:
            raise OutOfResourcesError("registers")

    answers = [gpu_kernels.runs("norm", (form,), lambda form=form: trial(form)) for form in (96, 96, 256, 96, 128)]
    assert (answers, trials) == ([True, True, False, False, False], [96, 256])
    assert capsys.readouterr().out.count("runs without its GPU kernels") == 1


def test_kernels_that_ran_are_said_to_be_used():
    assert not gpu_kernels.used("norm")
    assert gpu_kernels.runs("norm", (96,), lambda: None) and gpu_kernels.used("norm")
