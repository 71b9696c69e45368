"""Table 3: which layers and widths matter? A replica of Krizhevsky's net and ours, with layers removed or resized.

Every variant is trained from scratch. Errors in per cent, with ten crops on the validation set (D22) and the centre
crop on training images; mean and standard deviation over seeds. The paper's parameter counts are calculated from its
sizes (it states none).
"""

import pandas as pd

from zfnet.paper import published
from zfnet.paper.results import Results, Run
from zfnet.paper.tables.table import Cell, Measure, Table, assemble, measured

MEASURES = {
    "train_top1": Measure("train top-1", 1, "low"),
    "val_top1": Measure("val top-1", 1, "low"),
    "val_top5": Measure("val top-5", 1, "low"),
    "parameters": Measure("parameters", 0, ""),
}


def build(results: Results) -> pd.DataFrame:
    """Set every variant beside its published errors; rows are named like the trainings."""
    return assemble(3, MEASURES, {variant: _cells(results, variant) for variant in published.table(3).index})


def runs(results: Results, row: str) -> list[Run]:
    """Return the trainings that a row is measured on."""
    return results.seeds(row)


def _cells(results: Results, variant: str) -> dict[str, Cell]:
    cells = {
        name: measured(results.errors(variant, name), f"no evaluated training of {variant}")
        for name in list(MEASURES)[:3]
    }
    return {**cells, "parameters": _parameters(results, variant)}


def _parameters(results: Results, variant: str) -> Cell:
    metrics = [results.of_run(run, "metrics") for run in results.seeds(variant)[:1]]
    return measured(
        [count for record in metrics if record and (count := record.get("parameters"))],
        f"no finished training of {variant}",
    )


TABLE = Table(3, "Model", MEASURES, build, runs=runs)
