"""Table 3: which layers and widths matter. Replica of Krizhevsky's net and ours, with layers removed or resized.

Every variant is trained from scratch; errors with ten crops on the validation set (D22) and the centre crop on
training pictures, in per cent. Bases: mean and standard deviation over their random states. Parameter counts of the
paper are calculated from its sizes (it prints none).
"""

import pandas as pd

from zfnet.paper import published
from zfnet.paper.results import Results, Run
from zfnet.paper.tables.table import Cell, Measure, assemble, measured

TITLE = "Table 3. Architecture changes: ImageNet 2012 error (%)"
LABEL = "Model"
MEASURES = {
    "train_top1": Measure("train top-1", 1, "low"),
    "val_top1": Measure("val top-1", 1, "low"),
    "val_top5": Measure("val top-5", 1, "low"),
    "parameters": Measure("parameters", 0, ""),
}


def table(results: Results) -> pd.DataFrame:
    """Set every variant beside its printed errors; the rows are named like the trainings."""
    return assemble(3, MEASURES, {variant: _cells(results, variant) for variant in published.table(3).index})


def runs(results: Results, row: str) -> list[Run]:
    """The trainings that a row is measured on."""
    return results.seeds(row)


def _cells(results: Results, variant: str) -> dict[str, Cell]:
    cells = {
        name: measured(results.errors(variant, name), f"no evaluated training of {variant}")
        for name in list(MEASURES)[:3]
    }
    return {**cells, "parameters": _parameters(results, variant)}


def _parameters(results: Results, variant: str) -> Cell:
    metrics = [results.of_run(run, "metrics") for run in results.seeds(variant)[:1]]
    return measured([found["parameters"] for found in metrics if found], f"no finished training of {variant}")
