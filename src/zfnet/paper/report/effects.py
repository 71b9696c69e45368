"""The differences behind a claim as small drawings: value and interval, zero, and the claimed range.

Each difference has its own scale, because a claim may combine percentage points and ratios; the numbers are beside it.
Without an interval only the value is drawn.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from zfnet.paper.results import Results

WIDTH, EDGE = 220, 8


@dataclass(frozen=True)
class Effect:
    """One difference: its name, its numbers as text, a sentence, and the positions of all marks in pixels."""

    name: str
    numbers: str
    alt: str
    value: float
    zero: float
    interval: tuple[float, float] | None
    claimed: tuple[float, float]  # left end and width of the claimed range
    supported: bool


def effects(results: Results) -> dict[str, list[Effect]]:
    """Return the differences of every claim, by the claim's id."""
    frame = results.frame("claims-effects.csv")
    if frame is None:
        return {}
    rows = [{str(key): _number(value) for key, value in row.items()} for row in frame.to_dict("records")]
    return {claim: [_effect(row) for row in group] for claim, group in groupby(rows, lambda row: row["claim"])}


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _effect(row: dict[str, Any]) -> Effect:
    low, high, above, below = (row[key] for key in ("low", "high", "claimed_above", "claimed_below"))
    place = _scale([0.0, *(end for end in (row["value"], low, high, above, below) if end is not None)])
    left = EDGE / 2 if above is None else place(above)
    right = WIDTH - EDGE / 2 if below is None else place(below)
    interval = None if low is None else (place(low), place(high))
    supported = low is not None and (above is None or above < low) and (below is None or high < below)
    numbers = _numbers(row)
    alt = f"{row['difference']}: {numbers}, claimed {_range(above, below)}"
    return Effect(
        row["difference"], numbers, alt, place(row["value"]), place(0), interval, (left, right - left), supported
    )


def _scale(values: Iterable[float]) -> Callable[[float], float]:
    """Return the mapping from values to pixels that fits all values, with an edge on both sides."""
    values = list(values)
    low, high = min(values), max(values)
    per_pixel = (high - low) / (WIDTH - 2 * EDGE) or 1.0
    return lambda value: round(EDGE + (value - low) / per_pixel, 1)


def _numbers(row: dict[str, Any]) -> str:
    """Return '+3.2 [+1.1, +5.3], n = 3'."""
    digits = int(row["digits"])
    ends = "no interval" if row["low"] is None else f"[{row['low']:+.{digits}f}, {row['high']:+.{digits}f}]"
    return f"{row['value']:+.{digits}f} {ends}, n = {int(row['n'])}"


def _range(above: float | None, below: float | None) -> str:
    """Return the claimed range in words."""
    if above is None:
        return f"below {below:g}"
    return f"above {above:g}" if below is None else f"between {above:g} and {below:g}"
