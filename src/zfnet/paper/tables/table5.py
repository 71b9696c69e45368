"""Table 5: Caltech-256, a softmax on frozen layer-7 features against a net trained from scratch.

As Table 4, with at most 25 test images per class; clutter counts as a class if the settings say so (D24).
"""

import pandas as pd

from zfnet.paper.results import Results
from zfnet.paper.tables.paired import against_scratch
from zfnet.paper.tables.table import Measure, Table
from zfnet.paper.tables.table4 import transfer_table

SIZES = (15, 30, 45, 60)
MEASURES = {f"size{size}": Measure(f"{size} per class") for size in SIZES}


def build(results: Results) -> pd.DataFrame:
    """Set Caltech-256 accuracies beside the published ones."""
    return transfer_table(results, 5, "caltech256", MEASURES)


def paired(results: Results) -> pd.DataFrame:
    """Compare pre-trained and from scratch within folds."""
    return against_scratch(results, "caltech256", SIZES)


TABLE = Table(5, "Method", MEASURES, build, paired=paired)
