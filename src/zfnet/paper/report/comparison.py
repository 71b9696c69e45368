"""Tables of the report: ours beside the printed numbers, with the deviation as sign, number, symbol and colour.

A deviation is near, off or far (up to 10 %, up to 30 %, more than 30 % of the printed value). Better and worse differ
in symbol (▲▼ filled, △▽ hollow) as well as in colour, so that the page can be read without colours.
"""

from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd

from zfnet.paper.tables.table import OTHERS, Measure, footnotes, number_text, row_digits

SIZES = {
    "near": 0.1,
    "off": 0.3,
    "far": float("inf"),
}  # share of the printed value up to which a deviation is called so
SYMBOLS = {("better", True): "▲", ("better", False): "▼", ("worse", True): "△", ("worse", False): "▽"}


class Pair(NamedTuple):
    """Ours and the paper's value of one measure, as text, with what they differ by."""

    ours: str
    paper: str
    difference: str = ""
    symbol: str = ""  # up or down, filled where better
    side: str = ""  # better or worse
    size: str = ""  # near, off or far


def table_view(frame: pd.DataFrame, spec: ModuleType) -> dict[str, Any]:
    """Headings, rows of pairs, printed-only columns and notes of a table."""
    others = getattr(spec, "OTHERS", {})
    measures = [measure.label for measure in spec.MEASURES.values()]
    return {
        "head": {"label": spec.LABEL, "measures": measures, "others": list(others.values())},
        "rows": [_row(key, row, spec, list(others)) for key, row in frame.iterrows()],
        "notes": footnotes(frame),
    }


def _row(key: str, row: pd.Series, spec: ModuleType, others: list[str]) -> dict[str, Any]:
    measures = spec.MEASURES.items()
    return {
        "key": key,
        "label": row["label"],
        "ours_label": "" if pd.isna(row["ours_label"]) else row["ours_label"],
        "foreign": row["reason"] == OTHERS,
        "flag": "" if pd.isna(row["flag"]) else row["flag"],
        "pairs": [pair(row, name, measure, row_digits(spec, key, measure.digits)) for name, measure in measures],
        "others": [number_text(row[f"paper_{name}"], None, row_digits(spec, key, 1)) for name in others],
        "n": "/".join(dict.fromkeys(_count(row[f"ours_{name}_n"]) for name in spec.MEASURES)).strip("/"),
    }


def pair(row: pd.Series, name: str, measure: Measure, digits: int) -> Pair:
    """One measure of a row: both values as text and, where there are both and one is better, their difference."""
    ours, paper = row[f"ours_{name}"], row.get(f"paper_{name}")
    texts = [
        number_text(row.get(f"{side}_{name}"), row.get(f"{side}_{name}_spread"), digits, side == "paper")
        for side in ("ours", "paper")
    ]
    if pd.isna(ours) or pd.isna(paper) or not measure.better:
        return Pair(*texts)
    difference = ours - paper
    side = "better" if (difference > 0) == (measure.better == "high") else "worse"
    share = abs(difference) / max(abs(paper), 1e-9)
    size = next(name for name, limit in SIZES.items() if share <= limit)
    return Pair(*texts, f"{difference:+.{digits}f}".replace("-", "−"), SYMBOLS[side, difference > 0], side, size)


def _count(n: float) -> str:
    return "" if pd.isna(n) else str(int(n))
