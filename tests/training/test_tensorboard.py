"""Event files, read back with TensorBoard's own reader."""

import sys

import numpy as np
import pytest

from zfnet.core.errors import Stopped, ZfnetError
from zfnet.training import trainer
from zfnet.training.run_options import RunOptions
from zfnet.training.tensorboard import CURVES, Events


def curves(folder):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the optional package tensorboard is missing"
    )
    read = accumulator.EventAccumulator(str(folder))
    read.Reload()
    return {name: [(point.step, point.value) for point in read.Scalars(name)] for name in read.Tags()["scalars"]}


def row(epoch, **more):
    return {name: float(epoch) for name in CURVES} | {"epoch": epoch} | more


def test_a_resumed_training_has_every_epoch_once(tmp_path):
    pytest.importorskip("tensorboard", reason="the optional package tensorboard is missing")
    before = Events(tmp_path / "events")
    before.begin([])
    for epoch in (1, 2, 3):
        before.add_row(row(epoch))
    after = Events(tmp_path / "events")
    after.begin([row(1)])  # its checkpoint contains one epoch only
    after.add_row(row(2, val_top1=None))
    found = curves(tmp_path / "events")
    assert found.keys() == set(CURVES.values())
    assert found["loss/train"] == [(1, 1.0), (2, 2.0)]
    assert found["error/validation top-1"] == [(1, 1.0)]


def test_a_training_writes_its_history_as_curves(tmp_path, spec, train_set, val_set):
    pytest.importorskip("tensorboard", reason="the optional package tensorboard is missing")

    def train(**options):
        sets = train_set, np.arange(28), val_set, np.arange(8)
        return trainer.train(spec(), *sets, tmp_path / "run", RunOptions(tmp_path / "c", 1, events=True, **options))

    with pytest.raises(Stopped):
        train(budget_minutes=0)
    metrics = train()
    found = curves(tmp_path / "run/events")
    assert [step for step, _ in found["loss/train"]] == [1, 2, 3]
    assert found["loss/train"][-1][1] == pytest.approx(metrics["loss"])


def test_a_missing_package_is_reported_before_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ZfnetError, match=r"need the package tensorboard, .* install zfnet\[tensorboard\]"):
        Events(tmp_path)
