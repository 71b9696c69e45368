"""PASCAL VOC 2012 from frozen fc7 features: Table 6, compared with independent sigmoids (ZF sect. 5.2, C22, C23).

The paper trains a 20-way softmax. It does not say how images with several labels enter it (D25), nor which measure it
reports. Here each pair of an image and one of its labels is a sample ("pairs"), or one label is drawn per image
("random"). An image in which all objects of a class are marked difficult is neither a positive nor a negative of that
class, in training the sigmoids and in testing; the softmax gets no sample of the class from it. The labels of the test
set are only on the evaluation server, so heads are trained on `train`, and average precision is measured on `val`, for
whole images without boxes.

The softmax's predictions are also written in the format of the development kit, as competition 2 (outside data was
used): those for `val` for its own program, those for the test set (`zfnet.transfer.voc_submission`) for its server.
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
LAYER = "fc7"
NAME = f"voc2012, {LAYER}"


class Prediction(NamedTuple):
    """The predictions of a head for images it was not trained on."""

    probabilities: np.ndarray  # float32 (m, K)
    c: float  # the chosen C
    unsolved: bool  # the fit ended before it met its tolerance


def truth_table(annotations: list[dict[str, Any]], classes: list[str]) -> np.ndarray:
    """Return int8 (N, K): 1 if the image shows the class, 0 if only as difficult objects, else -1 (as ImageSets/Main).

    Raises
    ------
    ZfnetError
        An annotated object is not of any of `classes`.
    """
    truth = np.full((len(annotations), len(classes)), -1, dtype=np.int8)
    for row, annotation in zip(truth, annotations, strict=True):
        for shown in annotation["objects"]:
            if shown["name"] not in classes:
                raise ZfnetError(
                    f"VOC: an image shows {shown['name']!r}, which is not in the class list ({', '.join(classes)}); "
                    "prepare voc2012 and its features again."
                )
            k = classes.index(shown["name"])
            row[k] = max(row[k], 0 if shown["difficult"] else 1)
    return truth


def softmax_samples(truth: np.ndarray, target: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the training samples of a softmax, as image numbers (n,) and labels (n,) (D25).

    Parameters
    ----------
    truth : int (N, K), from `truth_table`
    target
        "pairs": one sample for each image and label; "random": one label per image, drawn with `seed`.
    """
    images, labels = np.nonzero(truth > 0)
    if target == "random":
        order = np.random.default_rng(seed).permutation(len(images))
        _, first = np.unique(images[order], return_index=True)
        drawn = order[first]
        images, labels = images[drawn], labels[drawn]
    return images, labels


def voc_stage(features: Features, settings: Transfer, out_csv: Path, threads: int = 2) -> None:
    """Train the heads on `train` and test them on `val`.

    Parameters
    ----------
    features
        Features of voc2012.
    out_csv
        Average precision per class and head. Beside it: a .json with means, the number of fits that ended before they
        met their tolerance ("unconverged"; each is named on stderr) and provenance; scores.safetensors ("softmax",
        "sigmoid" float32 (N, 20), "truth" int8 (N, 20)); and the predictions, val/results.
    """
    torch.set_num_threads(threads)
    start = time.monotonic()
    truth, train, val = read_truth(features)
    kernel = FeatureKernel.open(features.layer(LAYER), np.r_[train, val], device(), NAME)
    dimensions = kernel.dimensions(len(train))
    fit_bytes = max(fit_and_predict_bytes(truth[train], dimensions, kind, settings) for kind in KINDS)
    x, x_val = kernel.coordinates(train, val, fit_bytes)
    predictions = {kind: fit_and_predict(x, truth[train], x_val, kind, settings) for kind in KINDS}
    scores = {kind: prediction.probabilities for kind, prediction in predictions.items()}
    folder = Path(out_csv).parent
    with atomic(folder / "scores.safetensors") as unfinished:
        save_file(scores | {"truth": truth[val]}, unfinished)
    write_predictions(folder / "val", "val", [features.keys[i] for i in val], features.classes, scores["softmax"])
    write_records(out_csv, COLUMNS, [row for kind in KINDS for row in _rows(kind, scores[kind], truth[val], features)])
    summary = {
        "mean_ap": {kind: round(mean_average_precision(scores[kind], truth[val]), 4) for kind in KINDS},
        "c": {kind: prediction.c for kind, prediction in predictions.items()},
        "unconverged": sum(prediction.unsolved for prediction in predictions.values()),
        "images": {"train": len(train), "val": len(val)},
        "target": settings.voc_target,
        "left_out": _left_out(truth[train], truth[val], features.classes),
        "net": features.index["net"],
        "data": features.index["data"],
        "provenance": provenance(seed=settings.seed, seconds=time.monotonic() - start, device=str(device())),
    }
    write_json(Path(out_csv).with_suffix(".json"), summary)


def write_predictions(folder: Path, part: str, keys: list[str], classes: list[str], scores: np.ndarray) -> None:
    """Write one file per class, with a line `image confidence` for each image, where the development kit expects it.

    Parameters
    ----------
    part : "val" or "test", for the file names;  keys : (N,);  scores : (N, K)
    """
    for k, name in enumerate(classes):
        lines = [f"{key} {score:.9g}\n" for key, score in zip(keys, scores[:, k], strict=True)]
        write_text(folder / "results" / "VOC2012" / "Main" / f"comp2_cls_{part}_{name}.txt", "".join(lines))


def read_truth(features: Features) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the truth table of all images, int8 (N, K), and the numbers of those in `train` and in `val`.

    Raises
    ------
    ZfnetError
        The features have no annotations, or one of the two parts is empty.
    """
    annotations = features.index["annotations"]
    if not annotations or not all(annotations):
        raise ZfnetError(
            f"{features.folder}: {features.name} has no annotated objects; expected the features of voc2012."
        )
    parts = np.array([annotation["set"] for annotation in annotations])
    train, val = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "val")
    if not len(train) or not len(val):
        raise ZfnetError(
            f"{features.folder}: {len(train)} images of train and {len(val)} of val; expected some of both."
        )
    return truth_table(annotations, features.classes), train, val


def fit_and_predict(x: Tensor, truth: np.ndarray, x_test: Tensor, kind: Kind, settings: Transfer) -> Prediction:
    """Train one head with cross-validated C, and predict other images.

    Parameters
    ----------
    x : float32 (n, D);  truth : (n, K), from `truth_table`;  x_test : float32 (m, D)
    """
    if kind == "softmax":
        images, labels = softmax_samples(truth, settings.voc_target, settings.seed)
        targets = one_hot(labels, np.arange(truth.shape[1]))  # (samples, K)
    else:
        images, targets = np.arange(len(truth)), torch.from_numpy((truth.astype(np.float32) + 1) / 2)  # 1, 1/2 or 0
    image_folds = np.random.default_rng(settings.seed).permutation(len(truth)) % settings.heads.inner_folds
    groups = image_folds[images]  # drawn for images, so that no image is in two inner folds

    def mean_ap(scores: np.ndarray, samples: np.ndarray) -> float:
        ranked, first = np.unique(images[samples], return_index=True)  # an image with several labels is ranked once
        return mean_average_precision(probabilities(scores[first], kind), truth[ranked])

    samples = x[torch.from_numpy(images).to(x.device)]  # (samples, D)
    head, c = fit_with_best_c(samples, targets.to(x), groups, kind, settings.heads, mean_ap)
    unsolved = warn_if_unsolved(head, f"{NAME}, {kind} of {len(truth):,} images, C = {c:g}")
    return Prediction(probabilities(head.scores(x_test)[:, 0].cpu().numpy(), kind), c, unsolved)


def fit_and_predict_bytes(truth: np.ndarray, d: int, kind: Kind, settings: Transfer) -> int:
    """Return the bytes that `fit_and_predict` needs beyond its arguments, for d features per image."""
    n = int((truth > 0).sum()) if kind == "softmax" else len(truth)
    return 4 * n * d + cross_validation_bytes(n, d, truth.shape[1], kind, settings.heads)


def probabilities(scores: np.ndarray, kind: Kind) -> np.ndarray:
    """Return the class probabilities (m, K) of scores (m, K), by softmax or by independent sigmoids."""
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
    """Return a sentence for each class that cannot be trained or tested."""
    return [
        f"class {name}: no image to {purpose}."
        for truth, purpose in ((train, "train on (train)"), (val, "test on (val)"))
        for k, name in enumerate(classes)
        if not (truth[:, k] > 0).any()
    ]
