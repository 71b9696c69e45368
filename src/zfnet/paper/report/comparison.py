"""Tables of the report: ours beside the published numbers, with the deviation as sign, number, symbol and colour.

A deviation is near, off or far (up to 10 %, up to 30 %, more than 30 % of the published value). Better and worse differ
in symbol (▲▼ filled, △▽ hollow) as well as in colour, so that the page can be read without colours.
"""

from typing import Any, NamedTuple

import pandas as pd

from zfnet.paper.tables.table import PUBLISHED_ONLY, Measure, Table, footnotes, number_text

SIZES = {"near": 0.1, "off": 0.3, "far": float("inf")}  # largest deviation, as a fraction of the published value
SYMBOLS = {("better", True): "▲", ("better", False): "▼", ("worse", True): "△", ("worse", False): "▽"}


class Pair(NamedTuple):
    """Our value and the paper's of one measure, as text, and their difference."""

    ours: str
    paper: str
    difference: str = ""
    symbol: str = ""  # up or down, filled where better
    side: str = ""  # better or worse
    size: str = ""  # near, off or far


def table_view(frame: pd.DataFrame, table: Table) -> dict[str, Any]:
    """Return headings, rows of pairs, columns of other methods and notes of a table."""
    measures = [measure.label for measure in table.measures.values()]
    return {
        "head": {"label": table.label, "measures": measures, "others": list(table.others.values())},
        "rows": [_row(key, row, table) for key, row in frame.iterrows()],
        "notes": footnotes(frame),
    }


def _row(key: Any, row: pd.Series, table: Table) -> dict[str, Any]:
    measures = table.measures
    return {
        "key": key,
        "label": row["label"],
        "ours_label": "" if pd.isna(row["ours_label"]) else row["ours_label"],
        "foreign": row["reason"] == PUBLISHED_ONLY,
        "flag": "" if pd.isna(row["flag"]) else row["flag"],
        "pairs": [pair(row, name, measure, table.digits(key, measure.digits)) for name, measure in measures.items()],
        "others": [number_text(row[f"paper_{name}"], None, table.digits(key, 1)) for name in table.others],
        "n": "/".join(dict.fromkeys(_count(row[f"ours_{name}_n"]) for name in measures)).strip("/"),
    }


def pair(row: pd.Series, name: str, measure: Measure, digits: int) -> Pair:
    """Return both values of a measure as text and, if both exist and one is better, their difference."""
    ours, paper = row[f"ours_{name}"], row.get(f"paper_{name}")
    our_text, paper_text = (
        number_text(row.get(f"{side}_{name}", float("nan")), row.get(f"{side}_{name}_spread"), digits, side == "paper")
        for side in ("ours", "paper")
    )
    if pd.isna(ours) or pd.isna(paper) or not measure.better:
        return Pair(our_text, paper_text)
    difference = ours - paper
    side = "better" if (difference > 0) == (measure.better == "high") else "worse"
    deviation = abs(difference) / max(abs(paper), 1e-9)
    size = next(name for name, limit in SIZES.items() if deviation <= limit)
    change = f"{difference:+.{digits}f}".replace("-", "−")
    return Pair(our_text, paper_text, change, SYMBOLS[side, difference > 0], side, size)


def _count(n: float) -> str:
    return "" if pd.isna(n) else str(int(n))
