"""The evaluation of a run: files as promised, numbers that follow from the predictions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fake_shards import FakeShards
from safetensors.numpy import load_file

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.evaluation import evaluate_run
from zfnet.evaluation.predict import centre
from zfnet.evaluation.top_k import top_error
from zfnet.nets import save
from zfnet.settings import Evaluation


@pytest.fixture
def evaluated(net, tmp_path, monkeypatch):
    """Evaluate `net` as the run zf-s1 on two sets in memory; gives the folder of the run."""
    run, sets = tmp_path / "runs" / "zf-s1", {"val": FakeShards(), "train": FakeShards(20, seed=1)}

    def opened(manifest: Path) -> FakeShards:
        sets[manifest.parent.name].path = manifest
        return sets[manifest.parent.name]

    monkeypatch.setattr(evaluate_run, "Shards", opened)
    save(net, run / "weights.safetensors")

    def evaluate(**classes):
        sets.update(classes)
        manifests = (tmp_path / name / "manifest.json" for name in ("val", "train"))
        settings = Evaluation(batch_size=4, train_images=9, seed=3)
        results = run / "evaluation.json", run / "predictions.safetensors"
        evaluate_run.evaluate_run(run / "weights.safetensors", *manifests, settings, *results)
        return run

    return evaluate


def test_an_evaluation_follows_from_its_predictions(net, evaluated):
    run, val, train = evaluated(), FakeShards(), FakeShards(20, seed=1)
    found, arrays = read_json(run / "evaluation.json"), load_file(run / "predictions.safetensors")
    assert found["run"] == "zf-s1" and found["seconds"] > 0 and found["provenance"]["val"] == "hash 0"
    assert arrays["probabilities"].dtype == np.float32 and arrays["labels"].dtype == np.int64
    np.testing.assert_array_equal(arrays["labels"], val.labels)
    ten = {f"top{k}": top_error(arrays["probabilities"], arrays["labels"], k) for k in (1, 5)}
    assert found["val"]["images"] == 11 and found["val"]["ten"] == ten
    middle = {f"top{k}": 100 * arrays[f"centre_missed{k}"].mean() for k in (1, 5)}
    assert found["val"]["centre"] == pytest.approx(middle)
    part = evaluate_run.subset(20, 9, seed=3)
    seen = top_error(centre(net, train, part, 4), train.labels[part], 1)
    assert found["train"]["images"] == 9 and found["train"]["centre"]["top1"] == seen
    assert set(found["val"]) == {"images", "ten", "centre"} and set(found["train"]) == {"images", "centre"}


def test_errors_do_not_depend_on_the_chunk_size(net):
    shards, every = FakeShards(20, seed=1), np.arange(20)
    whole, pieces = (evaluate_run.centre_errors(net, shards, every, 4, chunk=chunk) for chunk in (20, 7))
    for k in (1, 5):
        np.testing.assert_array_equal(pieces[k], whole[k])
        assert 100 * whole[k].mean() == top_error(centre(net, shards, every, 4), shards.labels, k)


def test_a_second_evaluation_gives_the_same_predictions(evaluated):
    first = (evaluated() / "predictions.safetensors").read_bytes()
    assert (evaluated() / "predictions.safetensors").read_bytes() == first


def test_a_set_with_other_classes_is_refused(evaluated):
    with pytest.raises(ZfnetError, match=r"train.manifest\.json has 8 classes, but the net was trained on 7"):
        evaluated(train=FakeShards(classes=8))


def test_a_set_with_as_many_but_other_classes_is_refused(net, evaluated, tmp_path):
    names = [*FakeShards().classes[:6], "n00000099"]
    save(net, tmp_path / "runs" / "zf-s1" / "weights.safetensors", classes=names)
    with pytest.raises(ZfnetError, match=r"val.manifest\.json: .* other classes \(n00000099, not n00000006\)"):
        evaluated()


def test_the_subset_of_the_training_set_is_fixed_by_its_seed():
    part = evaluate_run.subset(100, 30, seed=1)
    assert len(set(part.tolist())) == 30 and (np.diff(part) > 0).all() and part.max() < 100
    assert (part == evaluate_run.subset(100, 30, seed=1)).all() and (part != evaluate_run.subset(100, 30, seed=2)).any()
    assert evaluate_run.subset(5, None, 0).tolist() == evaluate_run.subset(5, 9, 0).tolist() == [0, 1, 2, 3, 4]


def test_a_perfect_net_has_no_errors(net, shards):
    """Biases that name the only label of a set: 0 per cent everywhere, also with ten crops."""
    shards.labels[:] = 2
    with torch.no_grad():
        net.fc8.weight.zero_()
        net.fc8.bias.copy_(torch.nn.functional.one_hot(torch.tensor(2), 7))
    _, errors = evaluate_run.evaluate(net, shards, shards, Evaluation(batch_size=8))
    assert errors["val"]["ten"] == errors["val"]["centre"] == errors["train"]["centre"] == {"top1": 0.0, "top5": 0.0}
