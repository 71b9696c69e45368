"""Whole trainings, stopped, killed and resumed."""

import json
import os
import signal
import threading

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zfnet import nets
from zfnet.core.errors import Stopped, ZfnetError
from zfnet.training import train_step, trainer, validation
from zfnet.training.interrupt import Interrupt
from zfnet.training.run_options import RunOptions


@pytest.fixture
def more_images(val_set):
    """Validation images for several minibatches."""
    return type(val_set)(20, seed=1)


def weights(folder):
    return load_file(folder / "weights.safetensors")


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def without_times(rows):
    return [
        {k: v for k, v in row.items() if k not in ("images_per_second", "wait_fraction", "seconds")} for row in rows
    ]


def assert_same(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def in_slices(train, spec, name):
    """Resume until it is finished and return how often it stopped."""
    for stops in range(100):
        try:
            train(spec, name, budget_minutes=0)
            return stops
        except Stopped:
            continue
    pytest.fail("never finished")


@pytest.mark.parametrize(
    "recipe",
    [
        {"dropout": 0.5, "pca_noise": 0.1, "pca_noise_until": 0.5},
        {"crops": "ten", "lr_schedule": {"kind": "plateau", "patience": 1}, "precision": "bf16"},
    ],
)
def test_stopping_after_every_step_changes_nothing(train, tmp_path, spec, recipe):
    spec = spec(**recipe, snapshots=(1, 3))
    train(spec, "whole")
    assert in_slices(train, spec, "sliced") == 3 * 3  # three epochs of three steps
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "sliced"))
    assert without_times(history(tmp_path / "whole")) == without_times(history(tmp_path / "sliced"))
    for epoch in (1, 3):
        path = f"snapshots/epoch-{epoch:02d}.safetensors"
        assert_same(load_file(tmp_path / "whole" / path), load_file(tmp_path / "sliced" / path))


def test_seeds_and_dropout_matter(train, tmp_path, spec):
    train(spec(epochs=1), "a")
    train(spec(epochs=1, seed=2), "b")
    train(spec(epochs=1, dropout=0.0), "c")
    conv1 = [weights(tmp_path / name)["conv1.weight"] for name in "abc"]
    assert not torch.equal(conv1[0], conv1[1])
    assert not torch.equal(conv1[0], conv1[2])


def test_it_learns_colours(tmp_path, spec, larger_set, val_set):
    run = spec(epochs=15, dropout=0.0, learning_rate=0.02)
    options = RunOptions(tmp_path / "checkpoints", threads=1)
    metrics = trainer.train(run, larger_set, np.arange(64), val_set, np.arange(8), tmp_path, options)
    rows = history(tmp_path)
    assert metrics["loss"] < 0.5 * np.log(4) < 0.9 * rows[0]["loss"]
    assert metrics["val_top1"] < 50
    assert not metrics["stuck"]
    assert [row["epoch"] for row in rows] == list(range(1, 16))


def test_the_result_is_described(train, tmp_path, spec, train_set):
    run = spec(epochs=2, snapshots=(1, 2))
    metrics = train(run)
    folder = tmp_path / "run"
    assert metrics == json.loads((folder / "metrics.json").read_text())
    assert metrics["snapshots"] == ["epoch-01.safetensors", "epoch-02.safetensors"]
    assert (metrics["epochs"], metrics["images"], metrics["classes"], metrics["precision"]) == (2, 28, 4, "fp32")
    assert metrics["spec"] == run.hash
    net = nets.load(folder / "weights.safetensors")
    assert metrics["parameters"] == nets.parameters(net)
    assert torch.equal(net.mean, train_set.mean)
    metadata = nets.load_metadata(folder / "weights.safetensors")
    assert (metadata["run"], metadata["spec"], metadata["classes"]) == ("zf-s1", run.hash, train_set.classes)
    assert_same(weights(folder), load_file(folder / "snapshots/epoch-02.safetensors"))


def test_rescaled_filters_stay_below_the_limit(train, tmp_path, spec):
    metrics = train(spec(epochs=2, learning_rate=0.05, init_std=0.1, dropout=0.0, max_filter_rms=0.05))
    assert abs(metrics["largest_filter_rms"] - 0.05) < 1e-6
    for name, weight in weights(tmp_path / "run").items():
        if weight.ndim == 4:
            assert weight.square().mean((1, 2, 3)).sqrt().max() <= 0.05 + 1e-6, name


def test_a_signal_stops_in_good_order(train, tmp_path, spec, monkeypatch):
    train(spec(), "whole")
    steps, optimizer_step = iter(range(100)), train_step.optimizer_step

    def interrupted(*arguments):
        if next(steps) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return optimizer_step(*arguments)

    monkeypatch.setattr(train_step, "optimizer_step", interrupted)
    with pytest.raises(Stopped, match=r"zf-s1: stopped in epoch 2 after step 2 of 3, because SIGTERM was received"):
        train(spec(), "stopped")
    assert not (tmp_path / "stopped/weights.safetensors").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    train(spec(), "stopped")
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))


def test_a_loss_that_is_not_finite_ends_the_training(train, tmp_path, spec):
    with pytest.raises(ZfnetError, match=r"the loss became \w+ in epoch \d, .* with learning rate 1e\+20"):
        train(spec(learning_rate=1e20, max_filter_rms=None))
    assert not (tmp_path / "run/weights.safetensors").exists()


def test_a_stuck_training_is_noted_or_ended(train, spec):
    stuck = {"learning_rate": 1e-12, "init_std": 1e-6, "epochs": 2}
    assert train(spec(**stuck), "warned")["stuck"]
    with pytest.raises(ZfnetError, match="no better than chance"):
        train(spec(**stuck, if_stuck="stop"), "stopped")


def test_without_validation_the_loss_is_watched(train, tmp_path, spec):
    metrics = train(spec(lr_schedule={"kind": "plateau"}), val=np.arange(0))
    assert metrics["val_top1"] is None
    assert [row["val_top5"] for row in history(tmp_path / "run")] == [None] * 3


def test_a_set_smaller_than_a_batch_is_one_batch(train, tmp_path, spec):
    train(spec(batch_size=128, epochs=1), chosen=np.arange(5))
    assert len(history(tmp_path / "run")) == 1


def test_variants_of_one_seed_see_the_same_crops_in_the_same_order(train, spec, monkeypatch):
    seen, views = {}, train_step.training_views

    def record(images, net, *rest):
        found = views(images, net, *rest)
        seen.setdefault(run, []).append(found.clone())
        return found

    monkeypatch.setattr(train_step, "training_views", record)
    for run in ("zf", "krizhevsky"):
        train(spec(run, name=run, epochs=1), run)
    assert all(map(torch.equal, seen["zf"], seen["krizhevsky"]))


def test_an_interrupt_outside_the_main_thread_only_keeps_time():
    reasons = []

    def work():
        with Interrupt(0) as stop:
            reasons.append(stop.reason)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reasons == ["the time budget of 0 minutes is used up"]


def test_a_validation_can_be_stopped_and_is_repeated(tmp_path, spec, train_set, more_images, monkeypatch):
    """A signal after the first of two minibatches of validation images, in epoch 2."""
    seen = iter(range(100))

    def call(name):
        options = RunOptions(tmp_path / f"{name}-checkpoints", threads=1)
        sets = train_set, np.arange(28), more_images, np.arange(20)
        return trainer.train(spec(dropout=0.5), *sets, tmp_path / name, options)

    call("whole")
    count_errors = validation.count_errors

    def interrupted(*arguments):
        if next(seen) == 3:  # three minibatches an epoch: the first of the second epoch
            os.kill(os.getpid(), signal.SIGTERM)
        return count_errors(*arguments)

    monkeypatch.setattr(validation, "count_errors", interrupted)
    with pytest.raises(Stopped, match=r"stopped in epoch 2 after step 3 of 3, because SIGTERM"):
        call("stopped")
    assert next(seen) == 4, "the validation went on"
    assert call("stopped")["resumptions"] == 1
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))
    assert without_times(history(tmp_path / "whole")) == without_times(history(tmp_path / "stopped"))


def test_a_used_up_budget_does_not_stop_each_validation_anew(tmp_path, spec, train_set, more_images):
    def call(*_, **options):
        options = RunOptions(tmp_path / "checkpoints", threads=1, **options)
        return trainer.train(spec(), train_set, np.arange(28), more_images, np.arange(20), tmp_path / "run", options)

    assert in_slices(call, None, None) == 9


def test_metrics_tell_what_the_training_took(train, spec):
    assert in_slices(train, spec(), "run") == 9
    metrics = train(spec(), "run")
    assert metrics["resumptions"] == 9
    assert metrics["processes"] == 1
    assert (metrics["step"], metrics["norm"], metrics["driver"], metrics["device"]) == ("eager", "torch", None, "cpu")
    assert metrics["cpu_seconds"] > 0
    assert metrics["peak_memory_mb"] > 0
    assert metrics["images_per_second"] > 0
    assert metrics["seconds"] > 0
