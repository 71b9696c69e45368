"""Predictions for the ILSVRC-2012 test set, whose labels only the evaluation server has (Table 2, D28)."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_json, write_text
from zfnet.core.provenance import provenance
from zfnet.data.loader import Shards
from zfnet.data.readers.devkit import read_devkit
from zfnet.evaluation.ensemble import combine
from zfnet.evaluation.evaluate_run import same_classes
from zfnet.evaluation.predict import ten_crop
from zfnet.evaluation.submission_file import submission
from zfnet.nets import load
from zfnet.settings import Evaluation

CHUNK = 10_000  # images whose probabilities are in memory at once


def submission_stage(
    weights: Sequence[Path], manifest: Path, devkit: Path, settings: Evaluation, out_txt: Path, threads: int = 2
) -> None:
    """Write the file for the server: ten-crop predictions of every test image, by one net or the mean of several.

    Parameters
    ----------
    weights : runs/RUN/weights.safetensors of each net.
    manifest : manifest.json of the prepared test set.
    devkit : the archive or folder from image-net.org, which has the class numbers.
    settings : only `batch_size` is used.
    out_txt : the file to write; a .json with nets and provenance goes beside it.

    Raises
    ------
    ZfnetError
        A net was trained on other classes, or the devkit has no number for one.
    """
    torch.set_num_threads(threads)
    start, shards = time.monotonic(), Shards(manifest)
    ids = class_numbers(devkit, shards.classes)
    order = np.argsort(np.array(list(shards.keys)), kind="stable")  # of the file names
    lines = []
    for chunk in np.array_split(order, -(-len(order) // CHUNK)):
        lines.append(submission(combine([_predict(path, shards, chunk, settings, threads) for path in weights]), ids))
    write_text(out_txt, "".join(lines))
    nets = [Path(path).parent.name for path in weights]
    origin = provenance(seconds=time.monotonic() - start, device=str(device()), test=shards.manifest.hash)
    write_json(Path(out_txt).with_suffix(".json"), {"nets": nets, "images": len(order), "provenance": origin})


def class_numbers(devkit: Path, classes: Sequence[str]) -> list[int]:
    """Return the ILSVRC2012_ID of each class from the devkit."""
    numbers = read_devkit(devkit).numbers
    if missing := [wnid for wnid in classes if wnid not in numbers]:
        raise ZfnetError(
            f"{devkit}: no number (ILSVRC2012_ID) for {len(missing)} classes, such as {missing[0]}; the server uses "
            "the numbers of ILSVRC2012_devkit_t12.tar.gz: set archives: imagenet_devkit in config.yaml to it."
        )
    return [numbers[wnid] for wnid in classes]


def _predict(weights: Path, shards: Shards, indices: np.ndarray, settings: Evaluation, threads: int) -> np.ndarray:
    net = load(weights).to(device(), memory_format=torch.channels_last)
    same_classes(net, weights, shards)
    return ten_crop(net, shards, indices, settings.batch_size, threads).numpy()
