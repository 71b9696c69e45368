"""The numbers published in Zeiler & Fergus 2013 (arXiv v3 numbering), as data.

Published values are copied exactly; misprints are kept and marked in the column `flag` (D26, D27). The parameter counts
of Table 3 are calculated from the published sizes, because the paper states none.
"""

from functools import cache
from pathlib import Path

import pandas as pd

_NUMBERS = Path(__file__).with_name("numbers")


@cache
def table(number: int) -> pd.DataFrame:
    """Return published Table `number` (1-7), one row per published row; cells are empty if the paper's are.

    Returns
    -------
    DataFrame
        Index `row` (our short name), `label` (as published), one column per measure, `<measure>_spread` if the
        paper states ±, and `flag` (misprints and contradictions).
    """
    return pd.read_csv(_NUMBERS / f"table{number}.csv", index_col="row").astype({"flag": "string"})


@cache
def figure9() -> pd.DataFrame:
    """Return the points of Figure 9: accuracy in per cent by images per class, of the paper (± spread) and others."""
    return pd.read_csv(_NUMBERS / "figure9.csv", index_col="size")


@cache
def text() -> pd.Series:
    """Return the numbers that appear only in the text or the talk, by name."""
    return pd.read_csv(_NUMBERS / "text.csv", index_col="key")["value"]
