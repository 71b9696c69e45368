"""Table 7: how discriminative is each layer? A linear SVM or a softmax on frozen features of layers 1-5 and 7.

Caltech-101 with 30 and Caltech-256 with 60 training pictures per class; mean over classes of the accuracy per class
in per cent, mean and standard deviation over folds. Softmax (7) stands in Tables 4 and 5 with other values (D27).
"""

import pandas as pd

from zfnet.paper import printed
from zfnet.paper.results import Results
from zfnet.paper.table4 import head_folds
from zfnet.paper.tables import Cell, Measure, assemble, measured

TITLE = "Table 7. Features per layer: accuracy (%)"
LABEL = "Classifier (layer)"
MEASURES = {"caltech101": Measure("Caltech-101, 30 per class"), "caltech256": Measure("Caltech-256, 60 per class")}
SIZES = {"caltech101": 30, "caltech256": 60}


def table(results: Results) -> pd.DataFrame:
    """Set the accuracy of every layer beside the printed one."""
    rows = printed.table(7).index
    return assemble(7, MEASURES, {row: {name: _cell(results, row, name) for name in MEASURES} for row in rows})


def _cell(results: Results, row: str, dataset: str) -> Cell:
    head, layer = row.split("-")
    folds = head_folds(results, dataset, head, int(layer), SIZES[dataset])
    return measured(folds.dropna(), f"no {head} on layer {layer} of {dataset} at {SIZES[dataset]} per class")
