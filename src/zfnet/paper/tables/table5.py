"""Table 5: Caltech-256, a softmax on frozen layer-7 features against a net trained from scratch.

As Table 4; at most 25 test pictures per class, clutter counts as a class where the settings say so (D24).
"""

import pandas as pd

from zfnet.paper.results import Results
from zfnet.paper.tables.paired import against_scratch
from zfnet.paper.tables.table import Measure
from zfnet.paper.tables.table4 import transfer_table

TITLE = "Table 5. Caltech-256 accuracy (%)"
LABEL = "Method"
SIZES = (15, 30, 45, 60)
MEASURES = {f"size{size}": Measure(f"{size} per class") for size in SIZES}


def table(results: Results) -> pd.DataFrame:
    """Set Caltech-256 accuracies beside the printed ones."""
    return transfer_table(results, 5, "caltech256", MEASURES)


def paired(results: Results) -> pd.DataFrame:
    """Pre-trained minus from scratch."""
    return against_scratch(results, "caltech256", SIZES)
