"""Nets trained on a Caltech set alone: the "non-pretrained convnet" of Tables 4 and 5 (ZF sect. 5.2).

All layers are initialised at random and trained, with a new softmax, on the training images of a fold, the same images
as for heads on frozen features (`zfnet.transfer.splits`). The paper does not state the hyper-parameters; they are those
of `transfer.scratch`. All nets of a set are trained for the same number of updates, `transfer.scratch_updates`, so that
sizes differ in their images and not in the length of training. Test images are never used in training: the mean image
is that of the training images alone. A net that stays at chance is a result here, not an error. Nets are tested on the
same crops as features are extracted from, by mean accuracy per class.

Each finished training leaves only its row of the table, in a small file beside the checkpoints. A stopped stage
therefore resumes where it was, and finished nets take no space.
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
from zfnet.training.run_options import RunOptions
from zfnet.training.spec_format import format1_text
from zfnet.training.trainer import train
from zfnet.transfer.caltech_heads import caltech_splits, table_sizes
from zfnet.transfer.metrics import class_accuracy
from zfnet.transfer.splits import Split, Splits

COLUMNS = ["set", "size", "fold", "accuracy", "epochs", "loss", "stuck", "classes", "train_images", "test_images"]
BATCH_SIZE = 64  # images at once in testing
STATISTICS = "mean image of the training pictures, classes that take part"  # part of the fingerprint of a finished net


class TrainingShards(Shards):
    """A data set restricted to some classes, with the mean image and colour covariance of its training images only.

    Parameters
    ----------
    path : the manifest.json
    indices : numbers of the training images
    kept_labels : labels of the classes that take part, ascending; they are renumbered 0, 1, 2 …
    """

    def __init__(self, path: Path, indices: np.ndarray, kept_labels: np.ndarray, threads: int):
        super().__init__(path)
        self._kept_labels = kept_labels
        self._sums = ChannelStats(self.size)
        for batch in self.batches(indices, BATCH_SIZE, threads):
            for square in batch.images.numpy():
                self._sums.add(square, channel_products(square))

    @property
    def classes(self) -> list[str]:
        """Class ID of each label that takes part."""
        return [self.manifest.classes[label] for label in self._kept_labels]

    @cached_property
    def labels(self) -> np.ndarray:
        """Label of each image: int64 (N,), -1 if its class takes no part."""
        renumbered = np.full(len(self.manifest.classes), -1)
        renumbered[self._kept_labels] = np.arange(len(self._kept_labels))
        return renumbered[self._index.labels]

    @property
    def mean(self) -> Tensor:
        """Mean image: float32 (3, S, S), 0..255."""
        return torch.from_numpy(self._sums.mean()).permute(2, 0, 1).float()

    @property
    def covariance(self) -> Tensor:
        """Covariance of the RGB values: float32 (3, 3)."""
        return torch.from_numpy(self._sums.covariance()).float()


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
        Folder for unfinished trainings and for the results so far.
    out_csv
        One row per size and fold; the .json beside it lists the folds, the recipe and the provenance.
    budget_minutes
        Time after which the stage saves and stops.

    Raises
    ------
    Stopped
        The budget is used up, or a signal was received; calling again resumes.
    """
    start, shards, transfer = time.monotonic(), Shards(manifest), settings.transfer
    name = shards.manifest.name
    splits = caltech_splits(name, shards.labels, shards.keys, shards.classes, transfer)
    sizes = [size for size in splits.sizes if size in table_sizes(name, transfer)]
    rows = []
    for size in sizes:
        for fold in range(min(transfer.scratch_folds, transfer.folds)):
            remaining = None if budget_minutes is None else budget_minutes - (time.monotonic() - start) / 60
            row = _run(shards, splits, splits.split(fold, size), settings, Path(checkpoints), threads, remaining)
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
    """Train and test one net, or return its stored row if the settings and images have not changed."""
    spec = _spec(settings, shards.manifest.name, split)
    images = str([numbers.tolist() for numbers in (split.train, split.test, splits.classes)])
    inputs = shards.manifest.hash + images + STATISTICS + settings.transfer.crops
    stamp, stamp_format1 = (text_hash(text + inputs) for text in (spec.text, format1_text(spec.text)))
    row_file, work = checkpoints / f"{spec.run}.json", checkpoints / spec.run
    if row_file.exists() and (stored := read_json(row_file)).get("stamp") in (stamp, stamp_format1):
        return stored["row"]
    train_shards = TrainingShards(shards.path, split.train, splits.classes, threads)
    no_validation = np.empty(0, np.int64)
    options = RunOptions(work, threads, budget_minutes=budget)
    metrics = train(spec, train_shards, split.train, train_shards, no_validation, work / "run", options)
    net = load(work / "run" / "weights.safetensors").to(device())
    predict = ten_crop if settings.transfer.crops == "ten" else centre
    probabilities = predict(net, train_shards, split.test, BATCH_SIZE, threads)  # (m, K)
    predicted = splits.classes[probabilities.argmax(1).numpy()]
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
    write_json(row_file, {"stamp": stamp, "row": row})
    shutil.rmtree(work)
    return row


def _spec(settings: Settings, name: str, split: Split) -> RunSpec:
    """Return the run of one net: the same number of updates at every size, and never stopped for staying at chance."""
    spec = scratch_spec(settings, name, split.size, split.fold)
    steps = len(split.train) // min(spec.recipe.batch_size, len(split.train))  # per epoch
    epochs = math.ceil(settings.transfer.scratch_updates / steps)
    return spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"if_stuck": "warn", "epochs": epochs})})
