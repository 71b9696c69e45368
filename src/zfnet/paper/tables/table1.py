"""Table 1 (arXiv only): do masked eyes and noses of different animals change the features in the same direction?

Mean and standard deviation over pairs of animals of the normalised Hamming distance between the signs of the
changes. Random masks lie on the animal, and signs have three values (D21). Lower is more consistent.
"""

import pandas as pd

from zfnet.paper.results import Results
from zfnet.paper.tables.table import Cell, Measure, Table, assemble, measured

MEASURES = {"conv5": Measure("layer 5", 3, ""), "fc7": Measure("layer 7", 3, "")}
ROWS = ("right eye", "left eye", "nose", "random")


def build(results: Results) -> pd.DataFrame:
    """Set the sign changes of parts and random masks beside the published ones."""
    path = results.shown("correspondence-pairs.csv")
    pairs = results.frame(path)
    if pairs is None:
        return assemble(1, MEASURES, {row: dict.fromkeys(MEASURES, f"{path} was not made") for row in ROWS})
    return assemble(1, MEASURES, {row: {name: _cell(pairs, row, name) for name in MEASURES} for row in ROWS})


def _cell(pairs: pd.DataFrame, location: str, measure: str) -> Cell:
    chosen = pairs[(pairs["location"] == location) & (pairs["layer"] == measure)]
    return measured(chosen["distance"], f"no pairs for {location} at {measure}")


TABLE = Table(1, "Occlusion location", MEASURES, build)
