"""Table 4: Caltech-101, a softmax on frozen layer-7 features against a net trained from scratch.

Mean over classes of the accuracy per class, in per cent; mean and standard deviation over train/test folds
(ZF sect. 5.2). Background counts as a class if the settings say so (D24).
"""

import numpy as np
import pandas as pd

from zfnet.paper.results import Results
from zfnet.paper.tables.paired import against_scratch, head_folds, scratch_folds
from zfnet.paper.tables.table import Cell, Measure, Table, assemble, measured

NAMES = {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}
MEASURES = {"size15": Measure("15 per class"), "size30": Measure("30 per class")}


def build(results: Results) -> pd.DataFrame:
    """Set Caltech-101 accuracies beside the published ones."""
    return transfer_table(results, 4, "caltech101", MEASURES)


def transfer_table(results: Results, number: int, dataset: str, measures: dict[str, Measure]) -> pd.DataFrame:
    """Build Tables 4 and 5: pre-trained (softmax on fc7) and from scratch, at the sizes that the measures name."""
    ours = {
        "scratch": {name: _cell(scratch_folds(results, dataset, _size(name)), name) for name in measures},
        "pretrained": {
            name: _cell(head_folds(results, dataset, "softmax", "fc7", _size(name)), name) for name in measures
        },
    }
    notes = dict.fromkeys(ours, left_out(results, dataset))
    notes["scratch"] = "; ".join(filter(None, [notes["scratch"], final_losses(results, dataset)]))
    return assemble(number, measures, ours, notes=notes)


def final_losses(results: Results, dataset: str) -> str:
    """Return a note on the final training losses of the nets from scratch; empty if none were trained."""
    folds = results.frame(f"transfer/scratch/{dataset}.csv")
    if folds is None or not {"loss", "classes"} <= set(folds):
        return ""
    chance = np.log(folds["classes"].max())
    losses = ", ".join(f"{loss:.2f} at {size}" for size, loss in folds.groupby("size")["loss"].mean().items())
    return f"final training loss {losses} per class, where chance is {chance:.2f}"


def left_out(results: Results, dataset: str) -> str:
    """Return a note on classes left out because they have too few images; empty if none were."""
    record = results.json(f"transfer/heads/{dataset}.json") or {}
    few = [f"{name} ({count} images)" for name, count in record.get("too_few", {}).items()]
    return f"{NAMES[dataset]} without classes with too few images: {', '.join(few)}" if few else ""


def paired(results: Results) -> pd.DataFrame:
    """Compare pre-trained and from scratch within folds."""
    return against_scratch(results, "caltech101", map(_size, MEASURES))


def _size(name: str) -> int:
    return int(name.removeprefix("size"))


def _cell(folds: pd.Series, name: str) -> Cell:
    return measured(folds.dropna(), f"not run at {_size(name)} per class")


TABLE = Table(4, "Method", MEASURES, build, paired=paired)
