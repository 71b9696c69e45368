"""The check of a device finds what it is made to find, and trainings then take the plain path."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from zfnet.nets import gpu_kernels
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.training import compiled, device_record, gpu_check
from zfnet.training.device_record import checked
from zfnet.training.run_options import RunOptions

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def untried():
    gpu_kernels.forget()
    yield
    gpu_kernels.forget()


@pytest.fixture
def no_compiler(monkeypatch):
    """Let torch.compile return the function itself."""
    monkeypatch.setattr(compiled.torch, "compile", lambda forward, **options: forward)


def failures(result):
    return {finding["name"]: finding["text"] for finding in result["findings"] if not finding["passed"]}


def test_a_sound_device_passes(no_compiler):
    result = gpu_check.check(CPU)
    assert failures(result) == {}
    assert (result["step"], result["norm"]) == ("compiled", "torch")


def test_a_wrong_norm_is_found(no_compiler, monkeypatch, capsys):
    right = ContrastNorm.forward
    monkeypatch.setattr(ContrastNorm, "forward", lambda norm, x: right(norm, x) * 1.0001)
    result = gpu_check.check(CPU)
    assert list(failures(result)) == ["norm"] and "96 maps in torch.float32: 0.0001 from float64" in str(result)
    assert "The contrast norm runs without its GPU kernels" in capsys.readouterr().out


def test_a_wrong_step_is_found(monkeypatch):
    def halve(forward, **options):
        def wrong(minibatch):
            loss, errors = forward(minibatch)
            return loss / 2, errors

        return wrong

    monkeypatch.setattr(compiled.torch, "compile", halve)
    result = gpu_check.check(CPU)
    assert "times as far from fp32's" in failures(result)["step"] and result["step"] == "eager"


def test_a_step_that_does_not_compile_is_found(monkeypatch, capsys):
    def fail(forward, **options):
        raise AssertionError("libcuda.so")

    monkeypatch.setattr(compiled.torch, "compile", fail)
    result = gpu_check.check(CPU)
    assert failures(result)["step"] == "the step runs eager instead of compiled" and result["step"] == "eager"


def test_dropout_masks_that_ignore_their_seed_are_found(no_compiler, monkeypatch):
    monkeypatch.setattr("zfnet.training.learner.derive_seed", lambda *place: 1)
    assert failures(gpu_check.check(CPU)) == {"dropout": "different seeds gave the same loss"}


# ---- the record of a card --------------------------------------------------------------------------------------------
@pytest.fixture
def card(monkeypatch, tmp_path):
    """A card whose check is replaced by a function of the path to write to; counts the calls."""
    calls = []

    def install(check):
        def run(command, **options):
            calls.append(command)
            check(command[-1])

        monkeypatch.setattr(device_record, "subprocess", SimpleNamespace(run=run, SubprocessError=RuntimeError))
        return calls

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA Test")
    monkeypatch.setattr(device_record.gpu_cards, "driver", lambda: "580.95")
    return install


def passed(path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text('{"step": "recorded", "norm": "triton"}')


def test_a_card_is_checked_once(card, tmp_path):
    calls, options = card(passed), RunOptions(tmp_path)
    assert checked(options, CUDA) == checked(options, CUDA) == options
    assert len(calls) == 1
    assert checked(options, CPU) is options


def test_a_check_that_crashes_leads_to_the_plain_path_and_is_not_repeated(card, tmp_path, capsys):
    def crash(path):
        """End without a result, as a process does that was killed."""

    calls, options = card(crash), RunOptions(tmp_path)
    for _ in range(2):
        assert checked(options, CUDA).compile == "eager"
    assert len(calls) == 1
    printed = capsys.readouterr().out
    assert "The training step runs uncompiled: this card failed its check (zfnet check-gpu)." in printed
    assert printed.count("The contrast norm runs without its GPU kernels") == 1


def test_a_check_that_hangs_leads_to_the_plain_path(card, tmp_path):
    def hang(path):
        raise RuntimeError("timed out")

    card(hang)
    assert checked(RunOptions(tmp_path), CUDA).compile == "eager"
    assert not gpu_kernels.runs("contrast norm", (96,), lambda: None)


def test_a_new_driver_checks_again(card, tmp_path, monkeypatch):
    calls = card(passed)
    checked(RunOptions(tmp_path), CUDA)
    monkeypatch.setattr(device_record.gpu_cards, "driver", lambda: "590.10")
    checked(RunOptions(tmp_path), CUDA)
    assert len(calls) == 2


@pytest.mark.slow
def test_the_command_rehearses_the_check_on_a_cpu():
    done = subprocess.run(["zfnet", "check-gpu", "--device", "cpu"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Trainings use step: compiled, norm: torch.\n")
