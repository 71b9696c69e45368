"""Whole nets trained on a Caltech set alone: the "non-pretrained convnet" of Tables 4 and 5 (ZF sect. 5.2).

All layers start at random values and learn, with the new softmax, from the training pictures of the fold, the same
ones as the heads on frozen features get (`zfnet.transfer.splits`); hyper-parameters are not stated in the paper and are
those of settings.transfer.scratch. All nets of a set train for as many updates, `scratch_updates`, so that what
separates sizes is their pictures and not the length of their trainings. Test pictures are never looked at during
training: the mean image, too, is that of the training pictures alone. A net that stays at chance is a result here, not
a mistake. Tested on the same crops as features are read from, mean accuracy per class.

Each finished training leaves only its line of the table, a small file beside the checkpoints; so a stopped stage goes
on where it was, and finished nets take no room.
"""

import math
import shutil
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfnet.core.device import device
from zfnet.core.files import read_json, text_hash, write_json
from zfnet.core.provenance import provenance
from zfnet.core.tables import write_records
from zfnet.data.loader import Shards
from zfnet.data.shards.channel_stats import ChannelStats, channel_products
from zfnet.evaluation.predict import centre, ten_crop
from zfnet.nets import load
from zfnet.settings import Settings
from zfnet.training.experiments import RunSpec, scratch_spec
from zfnet.training.trainer import train
from zfnet.transfer.caltech_heads import caltech_splits, table_sizes
from zfnet.transfer.metrics import class_accuracy
from zfnet.transfer.splits import Split, Splits

COLUMNS = ["set", "size", "fold", "accuracy", "epochs", "loss", "stuck", "classes", "train_images", "test_images"]
EXAMINED = 64  # pictures at once in testing
STATISTICS = "mean image of the training pictures, classes that take part"  # part of what a finished net is known by


class TrainingShards(Shards):
    """A data set of some of its classes, whose mean image and covariance of colours are those of some of its pictures.

    Parameters
    ----------
    path : the manifest.json
    indices : the pictures.
    taking_part : labels of the classes, ascending; they become 0, 1, 2 …
    """

    def __init__(self, path: Path, indices: np.ndarray, taking_part: np.ndarray, threads: int):
        super().__init__(path)
        self._taking_part = taking_part
        self._own = ChannelStats(self.size)
        for batch in self.batches(indices, EXAMINED, threads):
            for square in batch.images.numpy():
                self._own.add(square, channel_products(square))

    @property
    def classes(self) -> list[str]:
        """Id of each label that takes part."""
        return [self.manifest.classes[label] for label in self._taking_part]

    @cached_property
    def labels(self) -> np.ndarray:
        """Label of each picture: int64 (N,), -1 where its class takes no part."""
        place = np.full(len(self.manifest.classes), -1)
        place[self._taking_part] = np.arange(len(self._taking_part))
        return place[self._index.labels]

    @property
    def mean(self) -> Tensor:
        """Mean image: float32 (3, S, S), 0..255."""
        return torch.from_numpy(self._own.mean()).permute(2, 0, 1).float()

    @property
    def covariance(self) -> Tensor:
        """Covariance of the RGB values: float32 (3, 3)."""
        return torch.from_numpy(self._own.covariance()).float()


def scratch_stage(
    manifest: Path,
    settings: Settings,
    checkpoints: Path,
    out_csv: Path,
    threads: int = 2,
    budget_minutes: float | None = None,
) -> None:
    """Train and test a net for each size of Table 4 or 5 and each of the first `scratch_folds` folds.

    Parameters
    ----------
    manifest
        manifest.json of caltech101 or caltech256.
    checkpoints
        Folder for what is unfinished, and for the results so far.
    out_csv
        One row per size and fold; a .json beside it.
    budget_minutes
        Time after which the stage saves and stops.

    Raises
    ------
    Stopped
        The budget is used up, or a signal came; the same call goes on.
    """
    start, shards, transfer = time.monotonic(), Shards(manifest), settings.transfer
    name = shards.manifest.name
    splits = caltech_splits(name, shards.labels, shards.keys, shards.classes, transfer)
    sizes = [size for size in splits.sizes if size in table_sizes(name, transfer)]
    rows = []
    for size in sizes:
        for fold in range(min(transfer.scratch_folds, transfer.folds)):
            left = None if budget_minutes is None else budget_minutes - (time.monotonic() - start) / 60
            row = _run(shards, splits, splits.split(fold, size), settings, Path(checkpoints), threads, left)
            rows.append({"set": name} | row)
    write_records(out_csv, COLUMNS, rows)
    write_json(
        Path(out_csv).with_suffix(".json"),
        splits.record(shards.keys)
        | {"data": shards.manifest.hash, "recipe": transfer.scratch.model_dump(mode="json")}
        | {"provenance": provenance(seed=transfer.seed, seconds=time.monotonic() - start, device=str(device()))},
    )


def _run(
    shards: Shards,
    splits: Splits,
    split: Split,
    settings: Settings,
    checkpoints: Path,
    threads: int,
    budget: float | None,
) -> dict[str, Any]:
    """Train and test one net, unless that was done before with the same settings and pictures."""
    spec = _spec(settings, shards.manifest.name, split)
    pictures = str([one.tolist() for one in (split.train, split.test, splits.classes)])
    stamp = text_hash(spec.text + shards.manifest.hash + pictures + STATISTICS + settings.transfer.crops)
    done, work = checkpoints / f"{spec.run}.json", checkpoints / spec.run
    if done.exists() and (known := read_json(done)).get("stamp") == stamp:
        return known["row"]
    own, none = TrainingShards(shards.path, split.train, splits.classes, threads), np.empty(0, np.int64)
    metrics = train(spec, own, split.train, own, none, work / "run", work, threads, budget_minutes=budget)
    net = load(work / "run" / "weights.safetensors").to(device())
    look = ten_crop if settings.transfer.crops == "ten" else centre
    predicted = splits.classes[look(net, own, split.test, EXAMINED, threads).argmax(1).numpy()]
    row = {
        "size": split.size,
        "fold": split.fold,
        "accuracy": round(class_accuracy(predicted, shards.labels[split.test]), 4),
        "epochs": metrics["epochs"],
        "loss": metrics["loss"],
        "stuck": metrics["stuck"],
        "classes": len(splits.classes),
        "train_images": len(split.train),
        "test_images": len(split.test),
    }
    write_json(done, {"stamp": stamp, "row": row})
    shutil.rmtree(work)
    return row


def _spec(settings: Settings, name: str, split: Split) -> RunSpec:
    """The training of one net: as many updates at every size, and none is stopped for being at chance."""
    spec = scratch_spec(settings, name, split.size, split.fold)
    steps = len(split.train) // min(spec.recipe.batch_size, len(split.train))  # of an epoch
    epochs = math.ceil(settings.transfer.scratch_updates / steps)
    return spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"if_stuck": "warn", "epochs": epochs})})
