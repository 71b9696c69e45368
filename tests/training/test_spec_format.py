"""Specs, checkpoints and results of format 1, whose settings had other names, are recognised."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from zfnet import nets
from zfnet.core.errors import Stopped
from zfnet.core.files import canonical_json, text_hash
from zfnet.settings import Settings
from zfnet.training import checkpoint, trainer
from zfnet.training.experiments import RunSpec, specs
from zfnet.training.run_options import RunOptions
from zfnet.training.spec_format import format1_text, known_hashes, upgrade_history, upgrade_spec
from zfnet.training.train_run import read_spec

FORMAT1 = {  # as version 1 wrote it
    "code": "0123456789abcdef",
    "decode": "cpu",
    "exclude_duplicates": False,
    "net": {
        "changes": {"maps": {}, "remove": [], "units": None},
        "crop": 112,
        "name": "krizhevsky",
        "norm_alpha": "over_n",
        "width": 0.5,
    },
    "recipe": {
        "annealing": {"drops": 3, "factor": 0.1, "kind": "plateau", "milestones": [0.36], "patience": 3},
        "batch": 64,
        "bias": 1.0,
        "bias_rate": 2.0,
        "colour": 0.1,
        "colour_stop": 0.5,
        "crops": "random",
        "decay": 0.0005,
        "dropout": 0.5,
        "epochs": 10,
        "keep_gain": True,
        "momentum": 0.9,
        "precision": "bf16",
        "rate": 0.02,
        "renormalise": None,
        "std": 0.03,
        "stuck": "warn",
        "stuck_share": 0.3,
    },
    "run": "krizhevsky-s1",
    "seed": 1,
    "snapshots": [1, 2],
}


def test_every_key_of_format_1_has_its_new_name(tmp_path):
    (tmp_path / "spec.json").write_text(json.dumps(FORMAT1))
    spec = read_spec(tmp_path / "spec.json")
    recipe = spec.recipe
    assert (spec.format, recipe.batch_size, recipe.learning_rate, recipe.bias_lr_multiplier) == (2, 64, 0.02, 2.0)
    assert (recipe.init_std, recipe.init_bias, recipe.scale_init_std, recipe.max_filter_rms) == (0.03, 1.0, True, None)
    assert (recipe.pca_noise, recipe.pca_noise_until, recipe.if_stuck, recipe.stuck_after) == (0.1, 0.5, "warn", 0.3)
    assert (recipe.weight_decay, recipe.lr_schedule.max_drops, recipe.lr_schedule.kind) == (0.0005, 3, "plateau")
    assert json.loads(spec.text) == upgrade_spec(FORMAT1)


def test_the_text_and_hash_of_format_1_are_known():
    spec = RunSpec.model_validate(upgrade_spec(FORMAT1))
    assert format1_text(spec.text) == canonical_json(FORMAT1)
    assert known_hashes(spec.text) == {spec.hash, text_hash(canonical_json(FORMAT1))}


def test_specs_of_the_present_format_stay_as_they_are():
    for spec in specs(Settings()).values():
        content = json.loads(spec.text)
        assert upgrade_spec(content) == content and content["format"] == 2


@pytest.mark.parametrize("content", [{}, {"recipe": 3}, {"recipe": {}}, {"recipe": {"annealing": None}}, {"format": 9}])
def test_what_is_no_spec_is_left_to_the_reader(content):
    upgrade_spec(content)


def test_a_history_has_its_new_keys():
    assert upgrade_history([{"epoch": 1, "rate": 0.1}]) == [{"epoch": 1, "learning_rate": 0.1}]


@pytest.fixture
def train(tmp_path, train_set, val_set):
    def call(spec, **options):
        sets, options = (train_set, np.arange(28), val_set, np.arange(8)), RunOptions(tmp_path / "c", 1, **options)
        return trainer.train(spec, *sets, tmp_path / "run", options)

    return call


def to_format1(folder, spec):
    """Rewrite the only checkpoint as version 1 would have written it, in the folder it would have chosen."""
    (path,) = folder.glob(f"*/{checkpoint.FILE}")
    with safe_open(str(path), framework="pt") as file:
        header = file.metadata()
    stamp, progress = json.loads(header["stamp"]), json.loads(header["progress"])
    old = checkpoint.Stamp(json.loads(format1_text(spec.text)), stamp["data"])
    for row in progress["history"]:
        row["rate"] = row.pop("learning_rate")
    if progress["metrics"]:
        progress["metrics"]["spec"] = text_hash(format1_text(spec.text))
    metadata = {"stamp": json.dumps(old._asdict()), "progress": json.dumps(progress)}
    save_file(load_file(path), path, metadata=metadata)
    path.parent.rename(folder / old.name)


def test_a_checkpoint_of_format_1_is_resumed(train, spec, tmp_path, capsys):
    run = spec(snapshots=(1, 3))
    for _ in range(4):  # into the second epoch
        with pytest.raises(Stopped):
            train(run, budget_minutes=0)
    to_format1(tmp_path / "c", run)
    assert train(run)["resumptions"] == 4
    output = capsys.readouterr().out
    assert "resuming from its checkpoint (epoch 2, step 1)" in output and "training from the start" not in output
    rows = [json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()]
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.01, 0.01, 0.001])
    assert (tmp_path / "run/snapshots/epoch-01.safetensors").exists()
    assert len(list((tmp_path / "c").glob(f"*/{checkpoint.FILE}"))) == 1


def test_a_finished_training_of_format_1_is_not_repeated(train, spec, tmp_path, monkeypatch):
    run = spec(epochs=1)
    metrics = train(run)
    weights = load_file(tmp_path / "run/weights.safetensors")
    to_format1(tmp_path / "c", run)
    monkeypatch.setattr(trainer.Trainer, "_train_epoch", lambda self: pytest.fail("it was trained again"))
    assert train(run) == metrics
    assert nets.load_metadata(tmp_path / "run/weights.safetensors")["spec"] == metrics["spec"] == run.hash
    assert all(map(torch.equal, load_file(tmp_path / "run/weights.safetensors").values(), weights.values()))


def test_a_checkpoint_of_format_1_with_other_content_is_not_used(train, spec, tmp_path, capsys):
    with pytest.raises(Stopped):
        train(spec(learning_rate=0.02), budget_minutes=0)
    to_format1(tmp_path / "c", spec(learning_rate=0.02))
    assert train(spec())["resumptions"] == 0
    assert "because this changed: spec.recipe.learning_rate: 0.02 -> 0.01" in capsys.readouterr().out
