"""Table 4: Caltech-101, a softmax on frozen layer-7 features against a net trained from scratch.

Mean over classes of the accuracy per class, in per cent; mean and standard deviation over train/test folds
(PAPER.md 8.3). Background counts as a class where the settings say so (D24).
"""

import pandas as pd

from zfnet.paper.results import Results
from zfnet.paper.tables import Cell, Measure, assemble, measured

TITLE = "Table 4. Caltech-101 accuracy (%)"
LABEL = "Method"
MEASURES = {"size15": Measure("15 per class"), "size30": Measure("30 per class")}


def table(results: Results) -> pd.DataFrame:
    """Set Caltech-101 accuracies beside the printed ones."""
    return transfer_table(results, 4, "caltech101", MEASURES)


def transfer_table(results: Results, number: int, dataset: str, measures: dict[str, Measure]) -> pd.DataFrame:
    """Tables 4 and 5: pre-trained (softmax on layer 7) and from scratch, at the sizes the measures name."""
    ours = {
        "scratch": {name: _cell(scratch_folds(results, dataset, _size(name)), name) for name in measures},
        "pretrained": {name: _cell(head_folds(results, dataset, "softmax", 7, _size(name)), name) for name in measures},
    }
    return assemble(number, measures, ours)


def head_folds(results: Results, dataset: str, head: str, layer: int, size: int) -> pd.Series:
    """Accuracy in per cent of one head at one training size, by fold (empty where it was not trained)."""
    heads = results.frame(f"transfer/heads/{dataset}.csv")
    if heads is None:
        return pd.Series(dtype=float)
    chosen = heads[(heads["head"] == head) & (heads["layer"].astype(str) == str(layer)) & (heads["size"] == size)]
    return chosen.set_index("fold")["accuracy"].sort_index()


def scratch_folds(results: Results, dataset: str, size: int) -> pd.Series:
    """Accuracy in per cent of nets trained on the small set alone, by fold (empty where none were)."""
    scratch = results.frame(f"transfer/scratch/{dataset}.csv")
    if scratch is None:
        return pd.Series(dtype=float)
    return scratch[scratch["size"] == size].set_index("fold")["accuracy"].sort_index()


def _size(name: str) -> int:
    return int(name.removeprefix("size"))


def _cell(folds: pd.Series, name: str) -> Cell:
    return measured(folds.dropna(), f"not run at {_size(name)} per class")
