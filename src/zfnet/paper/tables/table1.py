"""Table 1 (arXiv only): do eyes and noses of different animals change the features in the same direction?

Mean and standard deviation over pairs of animals of the normalised Hamming distance between the signs of the
changes; random masks lie on the animal, signs have three values (D21). Lower is more consistent.
"""

import pandas as pd

from zfnet.paper.results import Results
from zfnet.paper.tables.table import Cell, Measure, assemble, measured

TITLE = "Table 1. Correspondence: mean feature sign change"
LABEL = "Occlusion location"
MEASURES = {"layer5": Measure("layer 5", 3, ""), "layer7": Measure("layer 7", 3, "")}
ROWS = ("right eye", "left eye", "nose", "random")


def table(results: Results) -> pd.DataFrame:
    """Set the sign changes of parts and random masks beside the printed ones."""
    pairs = results.frame("visualize/zf-s1/correspondence-pairs.csv")
    return assemble(1, MEASURES, {row: {name: _cell(pairs, row, name) for name in MEASURES} for row in ROWS})


def _cell(pairs: pd.DataFrame | None, location: str, measure: str) -> Cell:
    if pairs is None:
        return "visualize/zf-s1/correspondence-pairs.csv was not made"
    chosen = pairs[(pairs["location"] == location) & (pairs["layer"] == int(measure[-1]))]
    return measured(chosen["distance"], f"no pairs for {location} at layer {measure[-1]}")
