"""Contrast norm against torch's in double precision, the published formula, and finite differences."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zfnet.nets import build
from zfnet.nets import contrast_norm as module
from zfnet.nets.contrast_norm import ContrastNorm


def gradients(function, x, along):
    return torch.autograd.grad(function(x), x, along)[0]


@given(
    channels=st.integers(1, 19),
    size=st.integers(1, 6),
    alpha=st.sampled_from([1e-4, 5e-4, 0.3]),
    beta=st.sampled_from([0.75, 0.5, 1.0]),
    side=st.integers(1, 5),
    last=st.booleans(),
)
@settings(deadline=None, max_examples=50)
def test_it_is_torchs_norm_and_so_is_its_gradient(channels, size, alpha, beta, side, last):
    torch.manual_seed(channels)
    x = 30 * torch.randn(2, channels, side, side + 1, dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format).requires_grad_()
    ours, theirs = ContrastNorm(size, alpha, beta), nn.LocalResponseNorm(size, alpha, beta, 2.0)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-13)
    along = torch.randn_like(x)
    torch.testing.assert_close(gradients(ours, x, along), gradients(theirs, x, along), rtol=1e-11, atol=1e-12)


def test_per_term_is_the_published_formula():
    a = 20 * torch.randn(1, 9, 2, 2, dtype=torch.float64)
    energy = [sum(a[:, j] ** 2 for j in range(max(0, i - 2), min(8, i + 2) + 1)) for i in range(9)]
    published = torch.stack([a[:, i] / (2 + 1e-4 * energy[i]) ** 0.75 for i in range(9)], 1)
    torch.testing.assert_close(ContrastNorm(5, alpha=5e-4)(a), published, rtol=1e-13, atol=1e-13)


def test_first_and_second_derivatives_are_those_of_the_function():
    x = (3 * torch.randn(2, 6, 2, 2, dtype=torch.float64)).requires_grad_()
    norm = ContrastNorm(alpha=0.5)
    assert torch.autograd.gradcheck(norm, x)
    assert torch.autograd.gradgradcheck(norm, x)


def test_one_input_can_be_used_twice_and_differentiated_twice():
    x = (5 * torch.randn(1, 7, 3, 3, dtype=torch.float64)).requires_grad_()
    norm = ContrastNorm()
    y = norm(x) + norm(norm(x))
    first = torch.autograd.grad(y.sum(), x, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(y.sum(), x)[0])
    theirs = nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0)
    torch.testing.assert_close(first, gradients(lambda x: theirs(x) + theirs(theirs(x)), x, torch.ones_like(x)))


def test_chunks_give_what_the_whole_gives(monkeypatch):
    x = (40 * torch.randn(3, 12, 7, 5)).requires_grad_()
    along = torch.randn_like(x)
    whole = ContrastNorm()(x), gradients(ContrastNorm(), x, along)
    monkeypatch.setattr(module, "CHUNK", 500)  # bytes: 10 positions, the last chunk shorter
    for found, expected in zip((ContrastNorm()(x), gradients(ContrastNorm(), x, along)), whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_lower_precision_stays_near_double(dtype, tolerance):
    x = (60 * torch.randn(2, 24, 6, 6)).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    double = x.detach().double().requires_grad_()
    theirs, along = nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0), torch.randn_like(x)
    ours, reference = ContrastNorm()(x), theirs(double)
    assert ours.dtype == dtype and ours.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours.double(), reference, rtol=tolerance, atol=tolerance)
    found, expected = gradients(ContrastNorm(), x, along), gradients(theirs, double, along.double())
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_autocast_does_not_round_float32():
    x = 60 * torch.randn(2, 8, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(ContrastNorm()(x), ContrastNorm()(x.clone()))
        inside = ContrastNorm()(x)
    assert torch.equal(inside, ContrastNorm()(x))


def test_use_in_inference_mode_does_not_hinder_training():
    norm = ContrastNorm()
    x = torch.randn(1, 11, 2, 2)
    with torch.inference_mode():
        norm(x)
    assert gradients(norm, x.requires_grad_(), torch.ones(1, 11, 2, 2)).isfinite().all()


def test_vectors_and_empty_batches_pass():
    assert ContrastNorm()(torch.ones(2, 5)).shape == (2, 5)
    assert ContrastNorm()(torch.ones(0, 5, 3, 3)).shape == (0, 5, 3, 3)


@pytest.mark.slow
def test_it_can_be_compiled_without_a_break():
    x = (20 * torch.randn(2, 9, 3, 3)).requires_grad_()
    along = torch.randn_like(x)
    compiled = torch.compile(ContrastNorm(), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), ContrastNorm()(x))
    torch.testing.assert_close(gradients(compiled, x, along), gradients(ContrastNorm(), x, along))


def test_no_net_contains_torchs_norm():
    kinds = {type(module) for name in ("zf", "krizhevsky") for module in build(name, width=1 / 16).modules()}
    assert ContrastNorm in kinds and nn.LocalResponseNorm not in kinds
