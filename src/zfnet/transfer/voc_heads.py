"""PASCAL VOC 2012 from frozen layer-7 features: Table 6, and independent sigmoids beside it (ZF sect. 5.2, C22, C23).

The paper trains a 20-way softmax and says neither what becomes of several labels (D25) nor how it is measured. Here
each pair of a picture and one of its labels is a sample ("pairs"), or one label is drawn per picture ("random").
Pictures that hold a class as difficult objects alone are neither positives nor negatives of it, in the training of the
sigmoids and in testing, and no sample of it for the softmax. The labels of the test set
are on a server, so heads learn on `train` and average precision is measured on `val`. Whole pictures, no boxes.

The softmax's predictions are also written as the development kit names and places them, as competition 2 (outside data
was used): those of `val` for its own program, those of the test set (`zfnet.transfer.voc_submission`) for its server.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, write_json, write_text
from zfnet.core.provenance import provenance
from zfnet.core.tables import write_records
from zfnet.settings import Transfer
from zfnet.transfer.extract_features import Features
from zfnet.transfer.heads.cross_validation import cross_validation_bytes, fit_with_best_c, warn_if_unsolved
from zfnet.transfer.heads.feature_kernel import FeatureKernel
from zfnet.transfer.heads.head import Kind
from zfnet.transfer.heads.linear import one_hot
from zfnet.transfer.metrics import average_precision, mean_average_precision

COLUMNS = ["class", "head", "positives", "images", "ap"]
KINDS: tuple[Kind, ...] = ("softmax", "sigmoid")
LAYER = "7"
NAME = f"voc2012, layer {LAYER}"


class Learned(NamedTuple):
    """What one head says of other pictures."""

    probabilities: np.ndarray  # float32 (m, K)
    c: float  # the chosen C
    unsolved: bool  # the fit ended before its tolerance was met


def truth_table(annotations: list[dict[str, Any]], classes: list[str]) -> np.ndarray:
    """Return int8 (N, K): 1 the class is there, 0 only as a difficult object, -1 it is not (as in ImageSets/Main)."""
    truth = np.full((len(annotations), len(classes)), -1, dtype=np.int8)
    for row, annotation in zip(truth, annotations, strict=True):
        for found in annotation["objects"]:
            if found["name"] not in classes:
                raise ZfnetError(
                    f"VOC: a picture holds {found['name']!r}, which is not in the class list ({', '.join(classes)}); "
                    "prepare voc2012 and its features again."
                )
            k = classes.index(found["name"])
            row[k] = max(row[k], 0 if found["difficult"] else 1)
    return truth


def samples(truth: np.ndarray, target: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn labels into samples of a softmax: picture numbers and their classes (D25).

    Parameters
    ----------
    truth : int (N, K), as `truth_table` gives
    target
        "pairs": a sample for each picture and label; "random": one label per picture, drawn with `seed`.
    """
    pictures, labels = np.nonzero(truth > 0)
    if target == "random":
        order = np.random.default_rng(seed).permutation(len(pictures))
        _, first = np.unique(pictures[order], return_index=True)
        chosen = order[first]
        pictures, labels = pictures[chosen], labels[chosen]
    return pictures, labels


def voc_stage(
    features_dir: Path,
    settings: Transfer,
    out_csv: Path,
    threads: int = 2,
    weights: Path | None = None,
    manifest: Path | None = None,
) -> None:
    """Train on `train`, test on `val`.

    Parameters
    ----------
    features_dir
        What `features_stage` wrote for VOC 2012.
    weights, manifest
        The net and the data set the features should be of; None: whatever they are of.
    out_csv
        Average precision per class and head. Beside it: a .json with means, fits that ended before their tolerance
        was met ("unconverged"; each is named on stderr) and provenance, scores.safetensors
        ("softmax", "sigmoid" float32 (N, 20), "truth" int8 (N, 20)) and the predictions, val/results.
    """
    torch.set_num_threads(threads)
    start, features = time.monotonic(), Features(features_dir)
    features.expect(weights, manifest)
    truth, train, val = read_truth(features)
    kernel = FeatureKernel.open(features.layer(LAYER), np.r_[train, val], device(), NAME)
    needs = max(learn_bytes(truth[train], kernel.dimensions(len(train)), kind, settings) for kind in KINDS)
    x, x_val = kernel.coordinates(train, val, needs)
    found = {kind: learn(x, truth[train], x_val, kind, settings) for kind in KINDS}
    scores = {kind: one.probabilities for kind, one in found.items()}
    folder = Path(out_csv).parent
    with atomic(folder / "scores.safetensors") as beside:
        save_file(scores | {"truth": truth[val]}, beside)
    write_predictions(folder / "val", "val", [features.keys[i] for i in val], features.classes, scores["softmax"])
    write_records(out_csv, COLUMNS, [row for kind in KINDS for row in _rows(kind, scores[kind], truth[val], features)])
    summary = {
        "mean_ap": {kind: round(mean_average_precision(scores[kind], truth[val]), 4) for kind in KINDS},
        "c": {kind: one.c for kind, one in found.items()},
        "unconverged": sum(one.unsolved for one in found.values()),
        "images": {"train": len(train), "val": len(val)},
        "target": settings.voc_target,
        "left_out": _left_out(truth[train], truth[val], features.classes),
        "net": features.index["net"],
        "data": features.index["data"],
        "provenance": provenance(seed=settings.seed, seconds=time.monotonic() - start, device=str(device())),
    }
    write_json(Path(out_csv).with_suffix(".json"), summary)


def write_predictions(folder: Path, part: str, keys: list[str], classes: list[str], scores: np.ndarray) -> None:
    """Write one file per class, `picture confidence` a line, as the development kit names and places them.

    Parameters
    ----------
    part : "val" or "test", a part of the file names;  keys : (N,);  scores : (N, K)
    """
    for k, name in enumerate(classes):
        lines = [f"{key} {score:.9g}\n" for key, score in zip(keys, scores[:, k], strict=True)]
        write_text(folder / "results" / "VOC2012" / "Main" / f"comp2_cls_{part}_{name}.txt", "".join(lines))


def read_truth(features: Features) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the truth of all pictures, and the numbers of those in `train` and `val`."""
    annotations = features.index["annotations"]
    if not annotations or not all(annotations):
        raise ZfnetError(
            f"{features.folder}: {features.name} has no objects annotated; expected the features of voc2012."
        )
    parts = np.array([annotation["set"] for annotation in annotations])
    train, val = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "val")
    if not len(train) or not len(val):
        raise ZfnetError(f"{features.folder}: {len(train)} pictures of train and {len(val)} of val; expected both.")
    return truth_table(annotations, features.classes), train, val


def learn(x: Tensor, truth: np.ndarray, x_test: Tensor, kind: Kind, settings: Transfer) -> Learned:
    """Train one head, and predict other pictures.

    Parameters
    ----------
    x : float32 (n, D);  truth : (n, K), as `truth_table` gives;  x_test : float32 (m, D)
    """
    if kind == "softmax":
        pictures, labels = samples(truth, settings.voc_target, settings.seed)
        targets = one_hot(labels, np.arange(truth.shape[1]))
    else:
        pictures, targets = np.arange(len(truth)), torch.from_numpy((truth.astype(np.float32) + 1) / 2)
    dealt = np.random.default_rng(settings.seed).permutation(len(truth)) % settings.heads.inner_folds
    places = torch.from_numpy(pictures).to(x.device)

    def score(scores: np.ndarray, numbers: np.ndarray) -> float:
        seen, first = np.unique(pictures[numbers], return_index=True)  # a picture of several labels is ranked once
        return mean_average_precision(probabilities(scores[first], kind), truth[seen])

    groups = dealt[pictures]  # by picture, so that no picture is in two inner folds
    head, c = fit_with_best_c(x[places], targets.to(x), groups, kind, settings.heads, score)
    what = f"{NAME}, {kind} of {len(truth):,} pictures, C = {c:g}"
    return Learned(probabilities(head.scores(x_test)[:, 0].cpu().numpy(), kind), c, warn_if_unsolved(head, what))


def learn_bytes(truth: np.ndarray, d: int, kind: Kind, settings: Transfer) -> int:
    """Return the bytes that `learn` takes beside its arguments, with d features a picture."""
    n = int((truth > 0).sum()) if kind == "softmax" else len(truth)
    return 4 * n * d + cross_validation_bytes(n, d, truth.shape[1], kind, settings.heads)


def probabilities(scores: np.ndarray, kind: Kind) -> np.ndarray:
    """Return what a softmax or sigmoids make of scores (m, K)."""
    values = torch.from_numpy(np.ascontiguousarray(scores))
    return (values.softmax(1) if kind == "softmax" else values.sigmoid()).numpy()


def _rows(kind: Kind, scores: np.ndarray, truth: np.ndarray, features: Features) -> list[dict[str, Any]]:
    return [
        {
            "class": name,
            "head": kind,
            "positives": int((truth[:, k] > 0).sum()),
            "images": int((truth[:, k] != 0).sum()),
            "ap": round(average_precision(scores[:, k], truth[:, k]), 4),
        }
        for k, name in enumerate(features.classes)
    ]


def _left_out(train: np.ndarray, val: np.ndarray, classes: list[str]) -> list[str]:
    """Name the classes that cannot be learned or measured."""
    return [
        f"class {name}: no picture to {what}."
        for truth, what in ((train, "learn from (train)"), (val, "measure on (val)"))
        for k, name in enumerate(classes)
        if not (truth[:, k] > 0).any()
    ]
