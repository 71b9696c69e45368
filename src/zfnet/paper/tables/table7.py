"""Table 7: how discriminative is each layer? A linear SVM or a softmax on frozen features of conv1-conv5 and fc7.

Caltech-101 with 30 and Caltech-256 with 60 training images per class; mean over classes of the accuracy per class in
per cent, mean and standard deviation over folds. The paper's Tables 4 and 5 give other values for softmax (7) (D27).
"""

import pandas as pd

from zfnet.paper import published
from zfnet.paper.results import Results
from zfnet.paper.tables.paired import head_folds, layers_and_heads
from zfnet.paper.tables.table import Cell, Measure, Table, assemble, measured
from zfnet.paper.tables.table4 import NAMES, left_out

MEASURES = {"caltech101": Measure("Caltech-101, 30 per class"), "caltech256": Measure("Caltech-256, 60 per class")}
SIZES = {"caltech101": 30, "caltech256": 60}


def build(results: Results) -> pd.DataFrame:
    """Set the accuracy of every layer beside the published one.

    If an archive is too small for the published size, ours are at the largest possible size, and the label says so.
    """
    rows, sizes = published.table(7).index, {name: size(results, name) for name in MEASURES}
    ours = {row: {name: _cell(results, row, name, sizes[name]) for name in MEASURES} for row in rows}
    smaller = [f"{NAMES[name]} with {sizes[name]} per class" for name in MEASURES if sizes[name] != SIZES[name]]
    labels = dict.fromkeys(rows, ", ".join(smaller)) if smaller else {}
    few = "; ".join(note for name in MEASURES if (note := left_out(results, name)))
    return assemble(7, MEASURES, ours, labels, dict.fromkeys(rows, few))


def paired(results: Results) -> pd.DataFrame:
    """Compare each layer with the one before, and softmax with SVM."""
    return layers_and_heads(results, {name: size(results, name) for name in MEASURES})


def size(results: Results, dataset: str) -> int:
    """Return the training images per class at which layers are compared: the published size, or the largest one run."""
    heads = results.frame(f"transfer/heads/{dataset}.csv")
    available = set() if heads is None else set(heads.loc[heads["head"] == "svm", "size"])
    return SIZES[dataset] if SIZES[dataset] in available or not available else int(max(available))


def _cell(results: Results, row: str, dataset: str, size: int) -> Cell:
    head, layer = row.split("-")
    folds = head_folds(results, dataset, head, layer, size)
    return measured(folds.dropna(), f"no {head} on {layer} of {NAMES[dataset]}")


TABLE = Table(7, "Classifier (layer)", MEASURES, build, paired=paired)
