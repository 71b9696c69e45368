"""The numbers printed in Zeiler & Fergus 2013 (arXiv v3 numbering), as data: what ours are set beside.

Printed values are carried over exactly; what cannot be right is kept and says so in the column `flag` (D26, D27).
Parameter counts in Table 3 are calculated for the published sizes, the paper prints none.
"""

from functools import cache
from pathlib import Path

import pandas as pd

_NUMBERS = Path(__file__).with_name("numbers")


@cache
def table(number: int) -> pd.DataFrame:
    """Give printed Table `number` (1-7): one row per printed row, empty where the paper prints nothing.

    Returns
    -------
    DataFrame
        Index `row` (our short name), `label` (as printed), one column per measure, `<measure>_spread` where the
        paper prints ±, and `flag` (misprints and contradictions).
    """
    return pd.read_csv(_NUMBERS / f"table{number}.csv", index_col="row").astype({"flag": "string"})


@cache
def figure9() -> pd.DataFrame:
    """Give the points of Figure 9: images per class, accuracy in per cent of ours (± spread), Bo et al., Sohn et al."""
    return pd.read_csv(_NUMBERS / "figure9.csv", index_col="size")


@cache
def text() -> pd.Series:
    """Give the numbers that stand in the text or in the talk only, by name."""
    return pd.read_csv(_NUMBERS / "text.csv", index_col="key")["value"]
