"""What is sent to the challenge's server: the guesses of the nets' mean, in order of the file names."""

import builders
import numpy as np
import pytest
import torch
from fake_shards import FakeShards

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.data.readers.devkit import read_devkit
from zfnet.evaluation import predict_test_set
from zfnet.evaluation.predict import ten_crop
from zfnet.nets import save
from zfnet.settings import Evaluation


@pytest.fixture
def shuffled(monkeypatch):
    """A test set whose archive is not in the order of its names, and class numbers other than the labels."""
    shards = FakeShards()
    names = np.random.default_rng(2).permutation(len(shards))
    shards.keys = [f"ILSVRC2012_test_{number:08d}" for number in names]
    monkeypatch.setattr(predict_test_set, "Shards", lambda manifest: shards)
    monkeypatch.setattr(predict_test_set, "class_numbers", lambda devkit, classes: [70, 10, 60, 20, 50, 30, 40])
    return shards, np.argsort(names)


def written(net, tmp_path, runs):
    """Save some nets that differ, send their guesses, and give the lines."""
    for run in range(runs):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(run * 0.05 * torch.randn(parameter.shape))
        save(net, tmp_path / f"zf-s{run}" / "weights.safetensors", classes=FakeShards().classes)
    paths = [tmp_path / f"zf-s{run}" / "weights.safetensors" for run in range(runs)]
    predict_test_set.submission_stage(
        paths, tmp_path / "m", tmp_path / "kit", Evaluation(batch_size=4), tmp_path / "out.txt", 1
    )
    return [[int(number) for number in line.split()] for line in (tmp_path / "out.txt").read_text().splitlines()]


@pytest.mark.parametrize("chunk", [4, 100])
def test_guesses_are_of_ten_crops_in_order_of_the_names(net, shuffled, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(predict_test_set, "CHUNK", chunk)
    shards, order = shuffled
    lines = written(net, tmp_path, 1)
    probabilities = ten_crop(net, shards, order, 4).numpy()
    numbers = np.array([70, 10, 60, 20, 50, 30, 40])
    assert lines == [numbers[np.argsort(-row)[:5]].tolist() for row in probabilities]
    assert read_json(tmp_path / "out.json")["nets"] == ["zf-s0"]


def test_several_nets_guess_by_their_mean(net, shuffled, tmp_path):
    lines = written(net, tmp_path, 2)
    shards, order = shuffled
    found = [
        ten_crop(predict_test_set.load(tmp_path / f"zf-s{run}" / "weights.safetensors"), shards, order, 4)
        for run in (0, 1)
    ]
    assert not torch.equal(found[0].argsort(1), found[1].argsort(1))
    best = (sum(found) / 2).argsort(1, descending=True)[:, :5].numpy()
    assert lines == np.array([70, 10, 60, 20, 50, 30, 40])[best].tolist()
    assert read_json(tmp_path / "out.json")["nets"] == ["zf-s0", "zf-s1"]


def test_classes_have_the_devkits_numbers(tmp_path):
    kit = builders.put(tmp_path / "kit.tar.gz", builders.packed(builders.devkit_files()))
    wnids = {wnid: number for number, wnid in builders.WNIDS.items()}
    assert read_devkit(kit).numbers == wnids
    assert predict_test_set.class_numbers(kit, sorted(wnids)) == [wnids[wnid] for wnid in sorted(wnids)]
    folder = builders.extract(builders.kaggle_files(), tmp_path / "kaggle")
    with pytest.raises(ZfnetError, match=r"no number .* for 3 classes.* set archives: imagenet_devkit"):
        predict_test_set.class_numbers(folder, sorted(wnids))
