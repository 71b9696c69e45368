"""Predictions of ILSVRC-2012's test set for its server, which alone knows the labels (Table 2, D28)."""

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

TOGETHER = 10_000  # pictures whose probabilities are in memory at once


def submission_stage(
    weights: Sequence[Path], manifest: Path, devkit: Path, settings: Evaluation, out_txt: Path, threads: int = 2
) -> None:
    """Write the file that the server takes: ten crops of every test picture, by one net or the mean of several.

    Parameters
    ----------
    weights : runs/RUN/weights.safetensors of each net.
    manifest : manifest.json of the prepared test set.
    devkit : of image-net.org, which has the numbers of the classes.
    settings : `batch` counts here.
    out_txt : the file; beside it a .json with the nets and provenance.

    Raises
    ------
    ZfnetError
        A net tells other classes apart, or the devkit does not number them.
    """
    torch.set_num_threads(threads)
    start, shards = time.monotonic(), Shards(manifest)
    ids = class_numbers(devkit, shards.classes)
    order = np.argsort(np.array(list(shards.keys)), kind="stable")  # of the file names
    lines = []
    for some in np.array_split(order, -(-len(order) // TOGETHER)):
        lines.append(submission(combine([_predict(path, shards, some, settings, threads) for path in weights]), ids))
    write_text(out_txt, "".join(lines))
    nets = [Path(path).parent.name for path in weights]
    origin = provenance(seconds=time.monotonic() - start, device=str(device()), test=shards.manifest.hash)
    write_json(Path(out_txt).with_suffix(".json"), {"nets": nets, "images": len(order), "provenance": origin})


def class_numbers(devkit: Path, classes: Sequence[str]) -> list[int]:
    """Give the ILSVRC2012_ID of each class, as the devkit of image-net.org numbers them."""
    numbers = read_devkit(devkit).numbers
    if missing := [wnid for wnid in classes if wnid not in numbers]:
        raise ZfnetError(
            f"{devkit}: no number (ILSVRC2012_ID) of {len(missing)} classes, such as {missing[0]}; the server takes "
            "the numbers of ILSVRC2012_devkit_t12.tar.gz: set archives: imagenet_devkit in config.yaml to it."
        )
    return [numbers[wnid] for wnid in classes]


def _predict(weights: Path, shards: Shards, indices: np.ndarray, settings: Evaluation, threads: int) -> np.ndarray:
    net = load(weights).to(device(), memory_format=torch.channels_last)
    same_classes(net, weights, shards)
    return ten_crop(net, shards, indices, settings.batch_size, threads).numpy()
