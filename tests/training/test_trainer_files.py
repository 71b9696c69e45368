"""What a training finds in its folders when it starts: results, checkpoints and locks of its own and of others."""

import json
import os
import signal
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zfnet.core.errors import Stopped, ZfnetError
from zfnet.training import checkpoint, train_step
from zfnet.training.checkpoint import FILE, lock_run


def weights(folder):
    return load_file(folder / "weights.safetensors")


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def assert_same(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_finished_training_is_only_written_again(train, tmp_path, spec, monkeypatch):
    first = train(spec(), "run")
    before = weights(tmp_path / "run")
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    monkeypatch.setattr(train_step, "optimizer_step", lambda *_: pytest.fail("it was trained again"))
    assert train(spec(), "run") == first
    assert_same(weights(tmp_path / "run"), before)
    assert len(history(tmp_path / "run")) == 3


def test_a_changed_recipe_trains_anew_and_says_why(train, tmp_path, spec, capsys):
    train(spec(epochs=2))
    train(spec(epochs=1))
    assert "spec.recipe.epochs: 2 -> 1" in capsys.readouterr().out
    assert len(history(tmp_path / "run")) == 1
    train(spec(epochs=2))  # the old one was kept
    assert "resuming from its checkpoint (epoch 3, step 0)" in capsys.readouterr().out


def test_other_images_train_anew(train, spec, capsys):
    train(spec(epochs=1))
    train(spec(epochs=1), chosen=np.arange(1, 28))
    assert "because this changed: data:" in capsys.readouterr().out


def test_a_checkpoint_of_another_spec_is_refused(train, tmp_path, spec):
    for epochs, name in ((1, "a"), (2, "b")):
        with pytest.raises(Stopped):
            train(spec(epochs=epochs), name, budget_minutes=0)
    ours, theirs = (next((tmp_path / f"{name}-checkpoints").glob(f"*/{FILE}")) for name in "ab")
    theirs.rename(ours)
    with pytest.raises(ZfnetError, match=r"belongs to another training \(spec.recipe.epochs: 2 -> 1\)"):
        train(spec(epochs=1), "a")


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"])
def test_a_damaged_checkpoint_is_named(train, tmp_path, spec, content):
    with pytest.raises(Stopped):
        train(spec(), budget_minutes=0)
    path = next((tmp_path / "run-checkpoints").glob(f"*/{FILE}"))
    path.write_bytes(content)
    with pytest.raises(ZfnetError, match=f"{path}: not a readable checkpoint"):
        train(spec())


@pytest.mark.parametrize(
    "header",
    [
        *(None, {"stamp": "{}"}, {"stamp": "{}", "progress": "{"}),
        *({"stamp": "[]", "progress": "{}"}, {"stamp": "{}", "progress": "3"}),
        {"stamp": "[" * 100_000, "progress": "{}"},
    ],
)
def test_a_checkpoint_with_another_header_is_named(train, tmp_path, spec, header):
    with pytest.raises(Stopped):
        train(spec(), budget_minutes=0)
    path = next((tmp_path / "run-checkpoints").glob(f"*/{FILE}"))
    save_file({"a": torch.zeros(1)}, path, metadata=header)
    with pytest.raises(ZfnetError, match=f"{path}: not a readable checkpoint"):
        train(spec())


def test_a_damaged_checkpoint_of_another_training_is_no_hindrance(train, tmp_path, spec, capsys):
    with pytest.raises(Stopped):
        train(spec(epochs=2), budget_minutes=0)
    path = next((tmp_path / "run-checkpoints").glob(f"*/{FILE}"))
    path.write_bytes(b"damaged")
    assert train(spec(epochs=1))["epochs"] == 1
    said = capsys.readouterr().out
    assert "to other settings or data, and cannot be read. The old checkpoint stays in" in said and path.exists()


def test_a_history_that_ran_ahead_is_cut_back(train, tmp_path, spec):
    """After a power cut the history may hold epochs that the last checkpoint does not know."""
    with pytest.raises(Stopped):
        train(spec(), budget_minutes=0)
    (tmp_path / "run/history.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n')
    train(spec())
    assert [row["epoch"] for row in history(tmp_path / "run")] == [1, 2, 3]


def test_a_training_waits_for_the_one_that_is_running_and_takes_its_result(train, tmp_path, spec, monkeypatch, capsys):
    train(spec())
    first = (tmp_path / "run/weights.safetensors").read_bytes()
    (tmp_path / "run/weights.safetensors").unlink()
    running = lock_run(tmp_path / "run-checkpoints", "zf-s1")
    running.__enter__()
    monkeypatch.setattr(checkpoint.time, "sleep", lambda seconds: running.__exit__(None, None, None))
    train(spec())
    printed = capsys.readouterr().out
    assert f"zf-s1: process {os.getpid()} on " in printed and "is training it; waiting for its end" in printed
    assert (tmp_path / "run/weights.safetensors").read_bytes() == first


def test_results_are_published_under_their_own_spec_only(train, tmp_path, spec):
    changed, path = spec(epochs=30), tmp_path / "run/spec.json"
    path.parent.mkdir(parents=True)
    path.write_text(changed.text)
    with pytest.raises(ZfnetError, match=r"spec\.json: changed while zf-s1 was trained \(recipe.epochs: 3 -> 30\)"):
        train(spec())
    assert not (tmp_path / "run/weights.safetensors").exists()
    path.write_text(spec().text)
    train(spec())
    assert json.loads((tmp_path / "run/metrics.json").read_text())["epochs"] == 3


def test_a_killed_training_resumes_from_its_last_checkpoint(train, tmp_path, spec):
    """SIGKILL at a random moment, in a process of its own, while checkpoints are written after every step."""
    train(spec(epochs=12), "whole")
    child = os.fork()
    if child == 0:  # no cleanup and no exit handlers: it will be killed
        train(spec(epochs=12), "killed", checkpoint_minutes=1e-9)
        os._exit(0)
    while not list((tmp_path / "killed-checkpoints").glob(f"*/{FILE}")):
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not (tmp_path / "killed/weights.safetensors").exists()
    train(spec(epochs=12), "killed")
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_a_missing_snapshot_is_reported_or_taken_from_the_results(train, tmp_path, spec):
    run = spec(snapshots=(1, 3))
    train(run)
    for path in (tmp_path / "run-checkpoints").glob("*/epoch-01.safetensors"):
        path.unlink()
    assert train(run)["snapshots"] == ["epoch-01.safetensors", "epoch-03.safetensors"]
    (tmp_path / "run/snapshots/epoch-01.safetensors").unlink()
    with pytest.raises(ZfnetError, match=r"epoch-01.safetensors: the snapshot of epoch 1 .* is missing"):
        train(run)


def test_what_a_killed_process_left_is_removed(train, tmp_path, spec):
    with pytest.raises(Stopped):
        train(spec(), budget_minutes=0)
    (own,) = (tmp_path / "run-checkpoints").glob("*/")
    left = [own / ".checkpoint.safetensors.123", tmp_path / "run/.weights.safetensors.45"]
    others = [tmp_path / "run/.bashrc", own / ".checkpoint.safetensors"]
    for path in left:
        path.mkdir()
        (path / ".tmpQ2A09X").touch()  # as safetensors names its own
    for path in others:
        path.touch()
    train(spec())
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)
