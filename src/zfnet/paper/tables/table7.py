"""Table 7: how discriminative is each layer? A linear SVM or a softmax on frozen features of layers 1-5 and 7.

Caltech-101 with 30 and Caltech-256 with 60 training pictures per class; mean over classes of the accuracy per class
in per cent, mean and standard deviation over folds. Softmax (7) stands in Tables 4 and 5 with other values (D27).
"""

import pandas as pd

from zfnet.paper import published
from zfnet.paper.results import Results
from zfnet.paper.tables.paired import head_folds, layers_and_heads
from zfnet.paper.tables.table import Cell, Measure, assemble, measured
from zfnet.paper.tables.table4 import NAMES, left_out

TITLE = "Table 7. Features per layer: accuracy (%)"
LABEL = "Classifier (layer)"
MEASURES = {"caltech101": Measure("Caltech-101, 30 per class"), "caltech256": Measure("Caltech-256, 60 per class")}
SIZES = {"caltech101": 30, "caltech256": 60}


def table(results: Results) -> pd.DataFrame:
    """Set the accuracy of every layer beside the printed one.

    Where a small archive cannot serve the printed size, ours are at the largest size it can, and the label says so.
    """
    rows, sizes = published.table(7).index, {name: size(results, name) for name in MEASURES}
    ours = {row: {name: _cell(results, row, name, sizes[name]) for name in MEASURES} for row in rows}
    smaller = [f"{NAMES[name]} with {sizes[name]} per class" for name in MEASURES if sizes[name] != SIZES[name]]
    labels = dict.fromkeys(rows, ", ".join(smaller)) if smaller else {}
    few = "; ".join(note for name in MEASURES if (note := left_out(results, name)))
    return assemble(7, MEASURES, ours, labels, dict.fromkeys(rows, few))


def paired(results: Results) -> pd.DataFrame:
    """Every layer minus the one before, softmax minus SVM."""
    return layers_and_heads(results, {name: size(results, name) for name in MEASURES})


def size(results: Results, dataset: str) -> int:
    """Training images per class at which the layers are compared: the printed size, or the largest that was run."""
    heads = results.frame(f"transfer/heads/{dataset}.csv")
    found = set() if heads is None else set(heads.loc[heads["head"] == "svm", "size"])
    return SIZES[dataset] if SIZES[dataset] in found or not found else int(max(found))


def _cell(results: Results, row: str, dataset: str, size: int) -> Cell:
    head, layer = row.split("-")
    folds = head_folds(results, dataset, head, int(layer), size)
    return measured(folds.dropna(), f"no {head} on layer {layer} of {NAMES[dataset]}")
