"""Files for the server of PASCAL VOC 2012, which alone knows the test labels (ZF sect. 5.2, Table 6).

The softmax of `zfnet.transfer.voc_heads` learns on `train` and `val` together, as the paper's did, its C chosen inside them,
and predicts the test pictures. Pack the folder `results` (tar czf results.tgz results) and upload it as competition 2.
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
from zfnet.transfer.voc_heads import LAYER, NAME, learn, learn_bytes, read_truth, write_predictions


def voc_test_stage(
    features_dir: Path,
    test_dir: Path,
    settings: Transfer,
    out_json: Path,
    threads: int = 2,
    weights: Path | None = None,
    manifest: Path | None = None,
    test_manifest: Path | None = None,
) -> None:
    """Learn on `train` and `val`, and predict the test set.

    Parameters
    ----------
    features_dir, test_dir
        What `features_stage` wrote for VOC 2012 and for its test set.
    weights, manifest, test_manifest
        The net that both should be of, and the data sets; None: whatever they are of, if it is the same net.
    out_json
        The chosen C, counts and provenance. Beside it the folder `results`, as the server takes it.

    Raises
    ------
    ZfnetError
        The features are of different nets or views, or of other sets.
    """
    torch.set_num_threads(threads)
    start, known, test = time.monotonic(), Features(features_dir), Features(test_dir)
    known.expect(weights, manifest)
    test.expect(weights, test_manifest)
    _check(known, test)
    truth, train, val = read_truth(known)
    learned = np.sort(np.r_[train, val])
    rows = np.concatenate([known.layer(LAYER), test.layer(LAYER)])
    unseen = np.arange(len(known), len(rows))
    kernel = FeatureKernel.open(rows, np.r_[learned, unseen], device(), NAME)
    needs = learn_bytes(truth[learned], kernel.dimensions(len(learned)), "softmax", settings)
    x, x_test = kernel.coordinates(learned, unseen, needs)
    found = learn(x, truth[learned], x_test, "softmax", settings)
    folder = Path(out_json).parent
    write_predictions(folder, "test", test.keys, known.classes, found.probabilities)
    summary = {
        "c": found.c,
        "unconverged": int(found.unsolved),
        "images": {"learned": len(learned), "test": len(test)},
        "target": settings.voc_target,
        "net": known.index["net"],
        "data": {"learned": known.index["data"], "test": test.index["data"]},
        "provenance": provenance(seed=settings.seed, seconds=time.monotonic() - start, device=str(device())),
    }
    write_json(out_json, summary)


def _check(known: Features, test: Features) -> None:
    for features, name in ((known, "voc2012"), (test, "voc2012-test")):
        if features.name != name:
            raise ZfnetError(f"{features.folder}: features of {features.name}; expected those of {name}.")
    for what, several in (("net", "nets"), ("views", "views")):
        if known.index[what] != test.index[what]:
            raise ZfnetError(
                f"{known.folder} and {test.folder}: features of different {several}; "
                "run `zfnet extract-features` again."
            )
