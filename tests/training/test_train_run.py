"""The workflow's job, from real shards to weights."""

import csv

import pytest

from zfnet import nets
from zfnet.core.errors import Stopped, ZfnetError
from zfnet.core.files import read_json
from zfnet.data.loader import Shards
from zfnet.training.run_options import RunOptions
from zfnet.training.train_run import kept_indices, read_spec, train_run


@pytest.fixture
def job(tmp_path, manifests, spec):
    """Return a function that runs the training job on a spec file."""

    def call(exclude=None, **options):
        folder = tmp_path / "runs/zf-s1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "spec.json").write_text(spec(epochs=2, snapshots=(1,)).text)
        outputs = folder / "weights.safetensors", folder / "metrics.json"
        options = RunOptions(tmp_path / "checkpoints", threads=1, **options)
        return train_run(folder / "spec.json", *manifests, exclude, *outputs, options)

    return call


def excluding(path, *keys, column="train_key"):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, ["set", "key", "class", column, "correlation"])
        table.writeheader()
        table.writerows([{"set": "caltech101", "key": "a/b", column: key, "correlation": 0.99} for key in keys])
    return path


def test_from_shards_to_weights_in_two_slices(job, tmp_path):
    with pytest.raises(Stopped):
        job(budget_minutes=0)
    metrics = job()
    folder = tmp_path / "runs/zf-s1"
    assert metrics == read_json(folder / "metrics.json")
    assert (metrics["images"], metrics["epochs"], metrics["snapshots"]) == (24, 2, ["epoch-01.safetensors"])
    assert nets.load_metadata(folder / "weights.safetensors")["classes"] == ["n0", "n1", "n2", "n3"]
    assert (folder / "snapshots/epoch-01.safetensors").exists()
    assert not list(tmp_path.rglob(".*")), "a temporary file is left"


def test_near_duplicates_are_left_out(job, manifests, tmp_path):
    table = excluding(tmp_path / "duplicates.csv", "n0/n0_4", "n1/n1_1", "n0/n0_4")
    assert job(table)["images"] == 22
    kept = kept_indices(shards := Shards(manifests[0]), table)
    assert {shards.keys[i] for i in set(range(24)) - set(kept)} == {"n0/n0_4", "n1/n1_1"}


def test_a_table_of_other_data_is_refused(job, tmp_path):
    with pytest.raises(ZfnetError, match=r"lists n9/n9_1 .* not in the training set train"):
        job(excluding(tmp_path / "duplicates.csv", "n9/n9_1"))
    with pytest.raises(ZfnetError, match="no column train_key"):
        job(excluding(tmp_path / "duplicates.csv", column="other"))


def test_a_file_that_is_no_spec_is_refused(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text('{"run": "zf-s1"}')
    with pytest.raises(ZfnetError, match=r"spec.json: not a run's spec \(net: Field required\)"):
        read_spec(path)


def test_outputs_elsewhere_are_refused(manifests, tmp_path):
    with pytest.raises(ZfnetError, match=r"expected weights.safetensors and metrics.json in one folder"):
        outputs = tmp_path / "a.safetensors", tmp_path / "metrics.json"
        train_run(tmp_path / "s", *manifests, None, *outputs, RunOptions(tmp_path))
