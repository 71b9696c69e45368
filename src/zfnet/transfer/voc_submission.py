"""Predictions for the evaluation server of PASCAL VOC 2012, which keeps the test labels (ZF sect. 5.2, Table 6).

The softmax of `zfnet.transfer.voc_heads` is trained on `train` and `val` together, as the paper's was, with C chosen
inside them, and predicts the test images. To submit, pack the folder `results` (tar czf results.tgz results) and upload
it as competition 2.
"""

import time
from pathlib import Path

import numpy as np
import torch

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_json
from zfnet.core.provenance import provenance
from zfnet.settings import Transfer
from zfnet.transfer.extract_features import Features
from zfnet.transfer.heads.feature_kernel import FeatureKernel
from zfnet.transfer.voc_heads import LAYER, NAME, fit_and_predict, fit_and_predict_bytes, read_truth, write_predictions


def voc_test_stage(
    features: Features, test_features: Features, settings: Transfer, out_json: Path, threads: int = 2
) -> None:
    """Train on `train` and `val`, and predict the test set.

    Parameters
    ----------
    features, test_features
        Features of voc2012 and of voc2012-test, of the same net.
    out_json
        The chosen C, counts and provenance. The folder `results` beside it has the layout that the server expects.

    Raises
    ------
    ZfnetError
        The features are of different nets or crops, or of other data sets.
    """
    torch.set_num_threads(threads)
    start = time.monotonic()
    _check(features, test_features)
    truth, train, val = read_truth(features)
    trainval = np.sort(np.r_[train, val])
    rows = np.concatenate([features.layer(LAYER), test_features.layer(LAYER)])  # (N + M, d)
    test = np.arange(len(features), len(rows))
    kernel = FeatureKernel.open(rows, np.r_[trainval, test], device(), NAME)
    fit_bytes = fit_and_predict_bytes(truth[trainval], kernel.dimensions(len(trainval)), "softmax", settings)
    x, x_test = kernel.coordinates(trainval, test, fit_bytes)
    prediction = fit_and_predict(x, truth[trainval], x_test, "softmax", settings)
    write_predictions(Path(out_json).parent, "test", test_features.keys, features.classes, prediction.probabilities)
    summary = {
        "c": prediction.c,
        "unconverged": int(prediction.unsolved),
        "images": {"trainval": len(trainval), "test": len(test_features)},
        "target": settings.voc_target,
        "net": features.index["net"],
        "data": {"trainval": features.index["data"], "test": test_features.index["data"]},
        "provenance": provenance(seed=settings.seed, seconds=time.monotonic() - start, device=str(device())),
    }
    write_json(out_json, summary)


def _check(features: Features, test_features: Features) -> None:
    for opened, name in ((features, "voc2012"), (test_features, "voc2012-test")):
        if opened.name != name:
            raise ZfnetError(f"{opened.folder}: features of {opened.name}; expected those of {name}.")
    for key, several in (("net", "nets"), ("crops", "crops")):
        if features.index[key] != test_features.index[key]:
            raise ZfnetError(
                f"{features.folder} and {test_features.folder}: features of different {several}; "
                "run `zfnet extract-features` again."
            )
