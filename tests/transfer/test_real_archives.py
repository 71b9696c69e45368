"""Features, heads and PASCAL of the real archives, by a small net that was never trained."""

import csv
import tarfile
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch

from zfnet.core.files import read_json
from zfnet.data.readers.datasets import SQUARE, source
from zfnet.data.shards.writer import write_shards
from zfnet.nets import build, save
from zfnet.settings import Data, Heads, Transfer
from zfnet.transfer.caltech_heads import heads_stage
from zfnet.transfer.extract_features import Features, features_stage
from zfnet.transfer.voc_heads import voc_stage

pytestmark = [pytest.mark.real, pytest.mark.slow]

SIZE = 40  # training pictures per class, which some classes do not have
HEADS = Heads(svm_c=(0.1, 1.0), softmax_c=(1.0, 10.0), inner_folds=2)
SETTINGS = Transfer(layers=("conv5", "fc7"), caltech101_train_sizes=(SIZE,), folds=2, heads=HEADS)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A net of a sixteenth of the width, at its first random weights."""
    torch.manual_seed(0)
    net = build("zf", classes=4, width=1 / 16, crop=64, size=72)
    net.mean.fill_(120)
    path = tmp_path_factory.mktemp("net") / "net.safetensors"
    save(net, path)
    return path


def read_features(name: str, archive: Path, weights: Path, folder: Path) -> Path:
    """Prepare a data set and read its features."""
    data, manifest = Data(image_size=72), folder / name / "manifest.json"
    write_shards(source(name, [archive], data), data, manifest, SQUARE[name], 2)
    features_stage(weights, manifest, SETTINGS, folder / "features")
    return folder / "features"


def test_heads_learn_on_the_real_caltech_101(real_data, weights, tmp_path):
    archive = real_data / "caltech" / "101_ObjectCategories.tar.gz"
    heads_stage(Features(read_features("caltech101", archive, weights, tmp_path)), SETTINGS, tmp_path / "heads.csv")
    with tarfile.open(archive) as tar:
        counts = Counter(PurePosixPath(name).parent.name for name in tar.getnames() if name.endswith(".jpg"))
    few = {name: count for name, count in counts.items() if count <= SIZE}
    record = read_json(tmp_path / "heads.json")
    assert few and record["too_few"] == few
    assert sorted(text.split(" images")[0] for text in record["left_out"]) == sorted(
        f"class {name}: {count}" for name, count in few.items()
    )
    for fold in record["folds"]:
        assert not set(fold["train"]) & set(fold["test"])
        assert Counter(key.split("/")[0] for key in fold["train"]) == dict.fromkeys(counts.keys() - few, SIZE)
        assert {key.split("/")[0] for key in fold["test"]} == counts.keys() - few
    with (tmp_path / "heads.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 4 and {int(row["classes"]) for row in rows} == {len(counts) - len(few)}
    assert all(float(row["accuracy"]) > 2 * 100 / int(row["classes"]) for row in rows)  # twice the share of a guess


def test_heads_learn_on_the_real_voc(real_data, weights, tmp_path):
    archive = real_data / "voc" / "VOCtrainval_11-May-2012.tar"
    voc_stage(Features(read_features("voc2012", archive, weights, tmp_path)), SETTINGS, tmp_path / "voc" / "ap.csv")
    with tarfile.open(archive) as tar:
        val = tar.extractfile("VOCdevkit/VOC2012/ImageSets/Main/val.txt").read().decode().split()
    summary = read_json(tmp_path / "voc" / "ap.json")
    assert summary["images"]["val"] == len(val) and not summary["left_out"]
    with (tmp_path / "voc" / "ap.csv").open() as file:
        rows = list(csv.DictReader(file))
    chance = np.mean([100 * int(row["positives"]) / int(row["images"]) for row in rows])
    assert all(np.isfinite(value) and value > chance for value in summary["mean_ap"].values())
    for name in {row["class"] for row in rows}:
        path = tmp_path / f"voc/val/results/VOC2012/Main/comp2_cls_val_{name}.txt"
        lines = [line.split() for line in path.read_text().splitlines()]
        assert sorted(key for key, _ in lines) == sorted(val) and all(0 <= float(value) <= 1 for _, value in lines)
