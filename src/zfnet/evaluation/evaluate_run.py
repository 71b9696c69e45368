"""Evaluate one trained net: ten-crop errors on the validation set, centre-crop error on training pictures.

How the papers measured the training error is unstated (Table 3); here it is the centre crop with dropout off, on a
fixed random part of the training set where the settings ask for one.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from safetensors.numpy import save_file

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, write_json
from zfnet.core.provenance import provenance
from zfnet.data.loader import Shards
from zfnet.evaluation.predict import centre, ten_crop
from zfnet.evaluation.top_k import missed, top_error
from zfnet.nets import Network, load, load_metadata
from zfnet.settings import Evaluation

TOPS = (1, 5)  # what both papers report


def evaluate_run(
    weights: Path,
    val_manifest: Path,
    train_manifest: Path,
    settings: Evaluation,
    out_json: Path,
    predictions: Path,
    threads: int = 2,
) -> dict[str, Any]:
    """Write evaluation.json (errors in per cent) and predictions.safetensors of a run.

    Parameters
    ----------
    weights : runs/RUN/weights.safetensors; its folder gives the run's name.
    val_manifest, train_manifest : manifest.json of the prepared data sets.
    out_json : errors, number of pictures, seconds, provenance.
    predictions : `probabilities` float32 (N, C), ten-crop means, `labels` int64 (N,), and whether the centre crop alone
        misses the label, `centre_missed1` and `centre_missed5` uint8 (N,); all in order of the manifest.

    Returns
    -------
    dict
        What `out_json` holds.
    """
    torch.set_num_threads(threads)
    start = time.monotonic()
    net = load(weights).to(device(), memory_format=torch.channels_last)
    val, train = Shards(val_manifest), Shards(train_manifest)
    for shards in (val, train):
        same_classes(net, weights, shards)
    arrays, errors = evaluate(net, val, train, settings, threads)
    with atomic(predictions) as beside:
        save_file({**arrays, "labels": np.asarray(val.labels, np.int64)}, beside)
    seconds = round(time.monotonic() - start, 1)
    result = {"run": Path(weights).parent.name, **errors, "seconds": seconds}
    result["provenance"] = provenance(device=str(net.mean.device), val=val.manifest.hash, train=train.manifest.hash)
    write_json(out_json, result)
    return result


def evaluate(
    net: Network, val: Shards, train: Shards, settings: Evaluation, threads: int = 2
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What is known of each validation picture (see `evaluate_run`), and all errors in per cent."""
    every, part = np.arange(len(val)), subset(len(train), settings.train_images, settings.seed)
    ten = ten_crop(net, val, every, settings.batch_size, threads).numpy()
    middle = centre_misses(net, val, every, settings.batch_size, threads)
    learnt = centre_misses(net, train, part, settings.batch_size, threads)
    arrays = {"probabilities": ten, **{f"centre_missed{k}": wrong.astype(np.uint8) for k, wrong in middle.items()}}
    return arrays, {
        "val": {"images": len(val), "ten": _tops(ten, val.labels), "centre": _per_cent(middle)},
        "train": {"images": len(part), "centre": _per_cent(learnt)},
    }


def centre_misses(
    net: Network, shards: Shards, indices: np.ndarray, batch: int, threads: int = 2, together: int = 10_000
) -> dict[int, np.ndarray]:
    """Which labels the centre crops miss, {1: …, 5: …} bool (N,); `together` at a time, so memory stays flat."""
    wrong: dict[int, list[np.ndarray]] = {k: [] for k in TOPS}
    for start in range(0, len(indices), together):
        piece = indices[start : start + together]
        probabilities = centre(net, shards, piece, batch, threads)
        for k in TOPS:
            wrong[k].append(missed(probabilities, shards.labels[piece], k))
    return {k: np.concatenate(parts) for k, parts in wrong.items()}


def subset(count: int, wanted: int | None, seed: int) -> np.ndarray:
    """`wanted` of `count` indices, drawn without replacement, in rising order; all where `wanted` is None or larger."""
    if wanted is None or wanted >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False))


def _tops(probabilities: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    return {f"top{k}": top_error(probabilities, labels, k) for k in TOPS}


def _per_cent(wrong: dict[int, np.ndarray]) -> dict[str, float]:
    return {f"top{k}": 100.0 * float(one.mean()) for k, one in wrong.items()}


def same_classes(net: Network, weights: Path, shards: Shards) -> None:
    """Refuse a data set whose classes are not those that the net was trained on."""
    if net.classes != len(shards.classes):
        raise ZfnetError(
            f"{shards.path} has {len(shards.classes)} classes, the net tells {net.classes} apart; "
            "use the data set it was trained for."
        )
    known = load_metadata(weights).get("classes")
    if known is not None and known != list(shards.classes):
        other = next(
            f"{theirs}, not {ours}" for theirs, ours in zip(known, shards.classes, strict=True) if theirs != ours
        )
        raise ZfnetError(f"{shards.path}: the net was trained on other classes ({other}); use its own data set.")
