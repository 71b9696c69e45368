"""Where a GPU has too little memory for the features' inner products, the CPU computes them, and says so."""

import numpy as np
import pytest
import torch

from zfnet.core import memory
from zfnet.core.errors import ZfnetError
from zfnet.transfer.heads import feature_kernel
from zfnet.transfer.heads.feature_kernel import FeatureKernel

CPU, GPU = torch.device("cpu"), torch.device("meta")  # any device that is not the CPU
IMAGES = np.arange(12)


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(12, 40)).astype(np.float32)


def test_a_gram_matrix_too_large_for_the_gpu_is_computed_on_the_cpu(rows, monkeypatch, capsys):
    monkeypatch.setattr(memory, "available", lambda device: 1 << 40 if device == CPU else 1 << 20)
    kernel = FeatureKernel.open(rows, IMAGES, GPU, "caltech256, layer 1")
    expected = FeatureKernel.open(rows, IMAGES, CPU)
    assert kernel.device == CPU and torch.equal(kernel.gram, expected.gram)
    printed = capsys.readouterr().out
    assert printed.startswith("caltech256, layer 1: the Gram matrix of 12 images: 0.5 GiB of memory are needed and 0.0")
    assert printed.endswith("free on meta; computing on the CPU.\n")


@pytest.mark.parametrize("wide", [True, False])
def test_a_fold_too_large_for_the_gpu_is_computed_on_the_cpu(rows, monkeypatch, capsys, wide):
    features = rows if wide else rows[:, :5]
    monkeypatch.setattr(feature_kernel, "gram_matrix", lambda rows, used, device: gram)
    gram = torch.from_numpy(rows @ rows.T).double()
    plain = FeatureKernel.open(features, IMAGES, CPU)
    small = FeatureKernel(plain.rows, plain.gram, plain.gram_index, GPU, "layer 7")
    monkeypatch.setattr(memory, "available", lambda device: 1 << 40 if device == CPU else 0)
    pairs = zip(small.coordinates(IMAGES[:8], IMAGES[8:]), plain.coordinates(IMAGES[:8], IMAGES[8:]), strict=True)
    assert all(torch.equal(found, expected) for found, expected in pairs)
    assert "layer 7: a fold of 8 + 4 images" in capsys.readouterr().out


def test_too_little_memory_everywhere_is_an_error(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda device: 0)
    with pytest.raises(ZfnetError, match=r"GiB of memory are needed on cpu"):
        memory.roomy(1 << 30, "the Gram matrix", GPU)
