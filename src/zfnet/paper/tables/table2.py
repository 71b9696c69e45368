"""Table 2: ImageNet errors of single nets and ensembles.

Ten crops, mean softmax, then mean over nets (D22). The test labels are on the challenge's server, so that column
stays empty (D28; the published validation and test errors differ by at most 0.1). Single nets: mean and standard
deviation over seeds. An ensemble of fewer than five nets says how many it has.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from zfnet.evaluation.ensemble import combine
from zfnet.evaluation.top_k import missed
from zfnet.paper.results import Results, Run
from zfnet.paper.tables.table import Cell, Measure, Measured, Table, assemble, measured

MEASURES = {
    "val_top1": Measure("val top-1", 1, "low"),
    "val_top5": Measure("val top-5", 1, "low"),
    "test_top5": Measure("test top-5", 1, "low"),
}
SERVER = "test labels are on the challenge's server (D28)"
TOO_FEW = "an ensemble needs at least two trainings as per Fig. 3, and the predictions of all its nets"
SINGLE = {"replica": "krizhevsky", "zf": "zf", "wide": "zf-wide"}
ENSEMBLES = ("zf5", "zf5-wide")


def build(results: Results) -> pd.DataFrame:
    """Set single nets and ensembles beside the published errors."""
    ours = {row: _single(results, variant) for row, variant in SINGLE.items()}
    ours |= {row: _ensemble(results, runs(results, row)) for row in ENSEMBLES}
    return assemble(2, MEASURES, ours, _labels(len(results.seeds("zf"))))


def runs(results: Results, row: str) -> list[Run]:
    """Return the trainings that a row is measured on; none for an ensemble that lacks nets."""
    if row in SINGLE:
        return results.seeds(SINGLE[row])
    seeds, wide = results.seeds("zf"), results.seeds("zf-wide")[:1]
    if row not in ENSEMBLES or len(seeds) < 2:
        return []
    return seeds if row == "zf5" else [*seeds, *wide] if wide else []


def ensemble_misses(results: Results, runs: Sequence[Run], k: int) -> np.ndarray | None:
    """Return whether the nets' mean softmax misses each image's label among its top k: bool (N,).

    None if a net has no predictions, or there is no net.
    """
    predictions = [pair for run in runs if (pair := results.predictions(run)) is not None]
    if not predictions or len(predictions) < len(runs):
        return None
    return missed(combine([probabilities for probabilities, _ in predictions]), predictions[0][1], k)


def _single(results: Results, variant: str) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        name: measured(results.errors(variant, name), f"no evaluated training of {variant}")
        for name in list(MEASURES)[:2]
    }
    return {**cells, "test_top5": SERVER}


def _ensemble(results: Results, runs: Sequence[Run]) -> dict[str, Cell]:
    cells: dict[str, Cell] = {"test_top5": SERVER}
    for name, k in (("val_top1", 1), ("val_top5", 5)):
        wrong = ensemble_misses(results, runs, k)
        cells[name] = TOO_FEW if wrong is None else Measured(float(wrong.mean()) * 100)
    return cells


def _labels(count: int) -> dict[str, str]:
    if count == 5 or count < 2:
        return {}
    return {"zf5": f"{count} convnets – (a)", "zf5-wide": f"{count + 1} convnets, (a) & (b) combined"}


TABLE = Table(2, "Model", MEASURES, build, runs=runs)
