"""Features are the net's own activations, whatever the batches, and are read back or refused in a sentence."""

import shutil
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json, write_json
from zfnet.data.augment import Crops, centre_crops, prepare, ten_crops
from zfnet.nets import build, save
from zfnet.settings import Transfer
from zfnet.transfer.extract_features import Features, _convert, extract, features_stage, stage_output

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")


class Usage(NamedTuple):
    """What is known of a disk."""

    free: int


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = build("zf", classes=4, width=1 / 16, crop=64, size=72).eval()
    net.mean.uniform_(100, 150)
    return net


@pytest.fixture(scope="module")
def shards(prepare):
    from scenes import scene

    from zfnet.data.loader import Shards

    return Shards(prepare("caltech101", {f"c{i % 2}/p{i}": (i % 2, scene(i, 90, 110)) for i in range(7)}, size=72))


def all_features(net, shards, views, at_once):
    names = [stage_output(net, layer) for layer in LAYERS]
    blocks = list(extract(net, shards, names, views, 1, at_once))
    assert np.concatenate([numbers for numbers, _ in blocks]).tolist() == list(range(len(shards)))
    return {name: torch.cat([found[name] for _, found in blocks]) for name in names}


def test_a_layer_ends_with_its_stage(net):
    assert [stage_output(net, layer) for layer in LAYERS] == ["norm1", "norm2", "conv3", "conv4", "pool5", "fc6", "fc7"]
    other = build("krizhevsky", classes=4, width=1 / 16, crop=224, remove=(7,))
    assert [stage_output(other, layer) for layer in ("conv1", "conv2")] == ["pool1", "pool2"]
    with pytest.raises(ZfnetError, match=r"no layer .fc7.; there are conv1"):
        stage_output(other, "fc7")


@pytest.mark.parametrize("views", ["centre", "ten"])
def test_features_do_not_depend_on_the_batch(net, shards, views):
    few, many = (all_features(net, shards, views, at_once) for at_once in (10, 64))
    for name in few:
        torch.testing.assert_close(few[name], many[name], rtol=1e-4, atol=1e-5)


def test_centre_features_are_the_traced_activations(net, shards):
    images = prepare(shards.squares(range(len(shards))), centre_crops(len(shards), 72, 64), 64, net.mean)
    with torch.inference_mode():
        activations = net.trace(images).activations
    for name, found in all_features(net, shards, "centre", 20).items():
        assert found.std() > 0
        torch.testing.assert_close(found, activations[name], rtol=1e-4, atol=1e-5)


def test_ten_views_are_averaged_features(net, shards):
    crops = ten_crops(72, 64)
    image = shards.squares([3])
    with torch.inference_mode():
        views = [prepare(image, Crops(*(part[i : i + 1] for part in crops)), 64, net.mean) for i in range(10)]
        expected = torch.stack([net.trace(view).activations["fc7"] for view in views]).mean(0)
    torch.testing.assert_close(all_features(net, shards, "ten", 40)["fc7"][3:4], expected, rtol=1e-4, atol=1e-5)


def test_stage_writes_what_is_read_back(net, shards, tmp_path):
    save(net, tmp_path / "net.safetensors")
    folder = tmp_path / "features"
    features_stage(tmp_path / "net.safetensors", shards.path, Transfer(layers=("conv1", "fc7")), folder, threads=1)
    features = Features(folder)
    assert features.keys == shards.keys and features.labels.tolist() == shards.labels.tolist()
    assert features.layer("conv1").shape == (7, features.index["layers"]["conv1"]["dimensions"])
    expected = all_features(net, shards, "centre", 64)["fc7"]
    torch.testing.assert_close(torch.tensor(features.layer("fc7")), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ZfnetError, match="no features of conv3; expected one of conv1, fc7"):
        features.layer("conv3")
    np.save(folder / "fc7.npy", np.zeros((6, 9), np.float32))
    with pytest.raises(ZfnetError, match=r"float32 \(6, 9\), but index.json describes float16 or float32 \(7, "):
        Features(folder).layer("fc7")
    write_json(
        folder / "index.json", {key: value for key, value in read_json(folder / "index.json").items() if key != "keys"}
    )
    with pytest.raises(ZfnetError, match="not an index of features"):
        Features(folder)


def test_half_precision_halves_the_size_and_reports_overflow(net, shards, tmp_path):
    save(net, tmp_path / "net.safetensors")
    stored = Transfer(layers=("fc7",), feature_dtype="fp16")
    features_stage(tmp_path / "net.safetensors", shards.path, stored, tmp_path / "half", threads=1)
    half = Features(tmp_path / "half").layer("fc7")
    assert half.dtype == np.float16
    expected = all_features(net, shards, "centre", 64)["fc7"]
    torch.testing.assert_close(torch.tensor(half).float(), expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(ZfnetError, match=r"reaches 7e.04, more than float16 holds; set transfer.feature_dtype: fp32"):
        _convert(np.array([70_000.0]), np.dtype(np.float16), "fc7")


def test_too_small_a_disk_is_a_sentence_before_anything_is_written(net, shards, tmp_path, monkeypatch):
    save(net, tmp_path / "net.safetensors")
    run = partial(features_stage, tmp_path / "net.safetensors", shards.path, threads=1)
    run(Transfer(layers=("conv1", "fc7"), feature_dtype="fp16"), tmp_path / "roomy")
    layers = [Features(tmp_path / "roomy").layer(layer) for layer in ("conv1", "fc7")]
    needed = 4 * sum(rows.size for rows in layers)  # in float32
    for missing, stored in ((0, "fp32"), (needed // 2, "fp16")):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, missing=missing: Usage(needed - missing))
        run(Transfer(layers=("conv1", "fc7"), feature_dtype=stored), tmp_path / "just")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(needed - 1))
    wanted = r"of 7 images: 0.0 GiB are needed in .*full, but only 0.0 are free; .*dtype: fp16 .* layer 1, .* `results`"
    with pytest.raises(ZfnetError, match=wanted):
        run(Transfer(layers=("conv1", "fc7")), tmp_path / "full")
    assert not list((tmp_path / "full").iterdir())


def test_features_of_another_net_or_data_set_are_refused(net, shards, caltech, tmp_path):
    save(net, tmp_path / "net.safetensors")
    folder = tmp_path / "features"
    features_stage(tmp_path / "net.safetensors", shards.path, Transfer(layers=("fc7",)), folder, threads=1)
    Features(folder, tmp_path / "net.safetensors", shards.path)
    with pytest.raises(ZfnetError, match=r"features of another data .* than .*manifest.json .*; run .* again with it"):
        Features(folder, None, caltech.path)
    save(build("zf", classes=4, width=1 / 16, crop=64, size=72), tmp_path / "other.safetensors")
    with pytest.raises(ZfnetError, match=r"features of another net .* than .*other.safetensors"):
        Features(folder, tmp_path / "other.safetensors", shards.path)


def test_images_of_another_size_are_refused(net, caltech):
    with pytest.raises(ZfnetError, match="takes squares of 72 px, but caltech101 has squares of 32 px"):
        next(extract(net, caltech, ["fc7"]))
