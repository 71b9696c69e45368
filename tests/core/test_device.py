"""A GPU that was given must work, and what old cards cannot do is done in float32; all without a GPU."""

import subprocess
from types import SimpleNamespace

import pytest
import torch

from zfnet.core import device as device_module
from zfnet.core import gpu_cards
from zfnet.core.device import autocast, device, usable_precision
from zfnet.core.errors import ZfnetError

CUDA = torch.device("cuda")
WORKSTATION = """GPU-a, NVIDIA RTX A6000, 560.35, 8.6, 49140, 30000
GPU-b, NVIDIA T400 4GB, 560.35, 7.5, 4096, 4000
GPU-c, NVIDIA RTX A6000, 560.35, 8.6, 49140, 48000
GPU-d, Tesla K80, 560.35, 3.7, 49140, 49000
"""


@pytest.fixture
def smi(monkeypatch):
    """Let nvidia-smi print this."""

    def answer(text):
        monkeypatch.setattr(gpu_cards.subprocess, "run", lambda *a, **k: SimpleNamespace(stdout=text))

    return answer


@pytest.fixture
def broken_cuda(monkeypatch, smi):
    def fail():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 12060).\nMore.")

    smi(WORKSTATION)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", fail)
    monkeypatch.setattr(torch.version, "cuda", "13.2")


@pytest.mark.parametrize("given", ["0", "0,1", "GPU-a", "MIG-1"])
def test_a_given_gpu_on_which_cuda_does_not_work_is_an_error(broken_cuda, monkeypatch, given):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    with pytest.raises(ZfnetError, match=r"too old \(found version 12060\).*driver is 560.35.*needs 580 or newer"):
        device()


@pytest.mark.parametrize("given", ["", "-1", "NoDevFiles", None])
def test_where_no_gpu_was_given_the_cpu_computes(broken_cuda, monkeypatch, given):
    if given is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert device() == torch.device("cpu")


def test_a_torch_without_cuda_is_said_to_be_one(broken_cuda, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ZfnetError, match="has no CUDA: install one that has"):
        device()


def test_float32_is_never_rounded_where_our_commands_compute(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    device()
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


def test_a_card_without_bfloat16_units_computes_in_float32_and_says_so_once(monkeypatch, capsys):
    device_module._supports_bf16.cache_clear()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert [usable_precision(CUDA, precision) for precision in ("bf16", "fp32", "bf16")] == ["fp32"] * 3
    assert capsys.readouterr().out.count("(compute capability 7.5) has no bfloat16 units") == 1
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert usable_precision(CUDA, "bf16") == usable_precision(torch.device("cpu"), "bf16") == "bf16"
    assert autocast(torch.device("cpu"), "bf16")._enabled


def test_the_card_with_most_free_memory_comes_first_and_unfit_cards_are_left_alone(smi, capsys):
    smi(WORKSTATION)
    assert gpu_cards.devices() == ["GPU-c", "GPU-a"]
    printed = capsys.readouterr().out
    assert "T400 4GB (GPU-b) is left alone: it has 4 GiB of memory, and another card 48" in printed
    assert "K80 (GPU-d) is left alone: its compute capability is 3.7" in printed


def test_a_small_card_is_used_where_it_is_the_only_one(smi):
    smi("GPU-b, NVIDIA T400 4GB, 560.35, 7.5, 4096, 4000\n")
    assert gpu_cards.devices() == ["GPU-b"]


def test_what_the_driver_does_not_tell_excludes_no_card(smi):
    smi("GPU-x, NVIDIA GB10, 580.95, 12.1, [N/A], [N/A]\nno such line\n")
    assert gpu_cards.devices() == ["GPU-x"] and gpu_cards.driver() == "580.95"


def test_without_a_driver_there_are_no_cards(monkeypatch):
    def fail(*_, **__):
        raise subprocess.CalledProcessError(9, "nvidia-smi")

    monkeypatch.setattr(gpu_cards.subprocess, "run", fail)
    assert gpu_cards.cards() == [] and gpu_cards.driver() is None
