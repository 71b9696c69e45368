"""Evaluation of one trained net: ten-crop errors on the validation set, centre-crop error on training images.

The papers do not say how they measured the training error (Table 3); here it is the centre crop with dropout off, on a
fixed random subset of the training set if `evaluation.train_images` asks for one.
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
    weights : runs/RUN/weights.safetensors; the folder is the run's name.
    val_manifest, train_manifest : manifest.json of the prepared data sets.
    out_json : gets errors, numbers of images, seconds and provenance.
    predictions : gets `probabilities` float32 (N, C), ten-crop means; `labels` int64 (N,); and the top-1 and top-5
        errors of the centre crop alone, `centre_missed1` and `centre_missed5` uint8 (N,); all in order of the manifest.

    Returns
    -------
    dict
        The content of `out_json`.
    """
    torch.set_num_threads(threads)
    start = time.monotonic()
    net = load(weights).to(device(), memory_format=torch.channels_last)
    val, train = Shards(val_manifest), Shards(train_manifest)
    for shards in (val, train):
        same_classes(net, weights, shards)
    arrays, errors = evaluate(net, val, train, settings, threads)
    with atomic(predictions) as temporary:
        save_file({**arrays, "labels": np.asarray(val.labels, np.int64)}, temporary)
    seconds = round(time.monotonic() - start, 1)
    result = {"run": Path(weights).parent.name, **errors, "seconds": seconds}
    result["provenance"] = provenance(device=str(net.mean.device), val=val.manifest.hash, train=train.manifest.hash)
    write_json(out_json, result)
    return result


def evaluate(
    net: Network, val: Shards, train: Shards, settings: Evaluation, threads: int = 2
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays per validation image (see `evaluate_run`), and all errors in per cent."""
    val_indices, train_indices = np.arange(len(val)), subset(len(train), settings.train_images, settings.seed)
    ten = ten_crop(net, val, val_indices, settings.batch_size, threads).numpy()
    val_errors = centre_errors(net, val, val_indices, settings.batch_size, threads)
    train_errors = centre_errors(net, train, train_indices, settings.batch_size, threads)
    arrays = {"probabilities": ten, **{f"centre_missed{k}": wrong.astype(np.uint8) for k, wrong in val_errors.items()}}
    return arrays, {
        "val": {"images": len(val), "ten": _tops(ten, val.labels), "centre": _per_cent(val_errors)},
        "train": {"images": len(train_indices), "centre": _per_cent(train_errors)},
    }


def centre_errors(
    net: Network, shards: Shards, indices: np.ndarray, batch: int, threads: int = 2, chunk: int = 10_000
) -> dict[int, np.ndarray]:
    """Return which centre crops are top-1 and top-5 errors, {1: …, 5: …} bool (N,).

    Images are counted `chunk` at a time, so memory does not grow with their number.
    """
    errors: dict[int, list[np.ndarray]] = {k: [] for k in TOPS}
    for start in range(0, len(indices), chunk):
        part = indices[start : start + chunk]
        probabilities = centre(net, shards, part, batch, threads)
        for k in TOPS:
            errors[k].append(missed(probabilities, shards.labels[part], k))
    return {k: np.concatenate(parts) for k, parts in errors.items()}


def subset(count: int, wanted: int | None, seed: int) -> np.ndarray:
    """Draw `wanted` of `count` indices without replacement, sorted; return all if `wanted` is None or larger."""
    if wanted is None or wanted >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False))


def _tops(probabilities: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    return {f"top{k}": top_error(probabilities, labels, k) for k in TOPS}


def _per_cent(errors: dict[int, np.ndarray]) -> dict[str, float]:
    return {f"top{k}": 100.0 * float(wrong.mean()) for k, wrong in errors.items()}


def same_classes(net: Network, weights: Path, shards: Shards) -> None:
    """Raise if the data set has other classes than the net was trained on."""
    if net.classes != len(shards.classes):
        raise ZfnetError(
            f"{shards.path} has {len(shards.classes)} classes, but the net was trained on {net.classes}; "
            "use the data set it was trained on."
        )
    known = load_metadata(weights).get("classes")
    if known is not None and known != list(shards.classes):
        difference = next(
            f"{theirs}, not {ours}" for theirs, ours in zip(known, shards.classes, strict=True) if theirs != ours
        )
        raise ZfnetError(
            f"{shards.path}: the net was trained on other classes ({difference}); use the data set it was trained on."
        )
