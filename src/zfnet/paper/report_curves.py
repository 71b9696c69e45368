"""Training curves: loss and errors of every epoch of all runs, and where the learning rate falls.

Each group of trainings has three panels: loss, top-1 error (validation drawn through, training broken) and top-5
error. Training errors are running ones, with dropout and random crops, and so lie above those of Table 3.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from zfnet.paper.results import Results

GROUPS = {  # heading: names of trainings
    "Fig. 3 model": r"zf-(s\d+|clean|unclipped)",
    "Its widths": r"zf-(s1|wide|fc\d+|wide-fc\d+)",
    "Krizhevsky's net without layers": r"krizhevsky-(s\d+|no\d+)",
    "Krizhevsky's net with other widths": r"krizhevsky-(s1|fc\d+)",
}
MEASURES = {
    "Loss": {"loss": "training"},
    "Top-1 error (%)": {"val_top1": "validation", "train_top1": "training"},
    "Top-5 error (%)": {"val_top5": "validation"},
}
WIDTH, HEIGHT = 340, 220
LEFT, RIGHT, TOP, BOTTOM = 34, 24, 10, 30  # edges around the plot
APART = 13  # between the numbers at the ends of lines

Point = tuple[float, float]
History = list[dict[str, Any]]


@dataclass(frozen=True)
class Line:
    """One curve of a run: its number in the legend and where it goes in the panel."""

    run: str
    number: int  # in the legend
    training: bool
    points: str
    label_y: float | None  # where its number stands, at the end of validation curves


@dataclass(frozen=True)
class Panel:
    """One pair of axes with all curves of a group."""

    title: str
    alt: str
    lines: list[Line]
    epochs: list[tuple[float, int]]
    values: list[tuple[float, float]]
    falls: list[float]


@dataclass(frozen=True)
class Group:
    """Panels of trainings that are read together, and their legend (run, last validation top-5 error)."""

    title: str
    panels: list[Panel]
    key: list[tuple[str, float | None]]


def groups(results: Results) -> list[Group]:
    """All trainings that have a history, in groups."""
    histories = {name: rows for name, run in results.runs.items() if (rows := results.history(run))}
    found = []
    named: set[str] = set()
    for title, pattern in GROUPS.items():
        chosen = {name: rows for name, rows in histories.items() if re.fullmatch(pattern, name)}
        found += _group(title, chosen)
        named |= chosen.keys()
    return found + _group("Other trainings", {name: rows for name, rows in histories.items() if name not in named})


def _group(title: str, histories: dict[str, History]) -> list[Group]:
    if not histories:
        return []
    panels = [_panel(f"{title}: {name}", histories, keys) for name, keys in MEASURES.items()]
    key = [(run, rows[-1].get("val_top5")) for run, rows in histories.items()]
    return [Group(title, panels, key)]


def _panel(title: str, histories: dict[str, History], keys: dict[str, str]) -> Panel:
    last = max(row["epoch"] for rows in histories.values() for row in rows)
    curves = {(run, key): _points(rows, key) for run, rows in histories.items() for key in keys}
    highest = max((value for points in curves.values() for _, value in points), default=1) or 1
    scale = _Scale(last, highest)
    first = next(iter(keys))
    ends = {run: scale.y(curves[run, first][-1][1]) for run in histories if curves[run, first]}
    labels = spread(ends, APART, HEIGHT - BOTTOM)
    lines = [
        Line(run, i + 1, key != first, scale.path(curves[run, key]), labels.get(run) if key == first else None)
        for i, run in enumerate(histories)
        for key in reversed(keys)
    ]
    falls = sorted({epoch for rows in histories.values() for epoch in rate_falls(rows)})
    return Panel(
        title.rpartition(": ")[2],
        _alt(title, histories, first),
        lines,
        [(scale.x(epoch), epoch) for epoch in ticks(1, last)],
        [(scale.y(value), value) for value in ticks(0, highest)],
        [scale.x(epoch - 0.5) for epoch in falls],
    )


def _points(rows: History, key: str) -> list[Point]:
    return [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]


def rate_falls(rows: Sequence[dict[str, Any]]) -> list[int]:
    """Epochs that are the first with a lower learning rate."""
    return [after["epoch"] for before, after in pairwise(rows) if after.get("rate", 0) < before.get("rate", 0)]


def _alt(title: str, histories: dict[str, History], key: str) -> str:
    """A sentence that says what the panel shows, with where the curves end."""
    ends = [f"{run} {points[-1][1]:.1f}" for run, rows in histories.items() if (points := _points(rows, key))]
    return f"{title} against epochs. At the end: {', '.join(ends)}."


@dataclass(frozen=True)
class _Scale:
    """From epochs and values to pixels."""

    last: float
    highest: float

    def x(self, epoch: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(self.last - 1, 1), 1)

    def y(self, value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / self.highest), 1)

    def path(self, points: Iterable[Point]) -> str:
        return " ".join(f"{self.x(epoch):g},{self.y(value):g}" for epoch, value in points)


def spread(places: dict[str, float], apart: float, lowest: float) -> dict[str, float]:
    """Move labels so that neighbours are `apart` and none lies below `lowest`; their order stays."""
    names = sorted(places, key=places.__getitem__)
    moved: dict[str, float] = {}
    floor = lowest
    for name in reversed(names):
        moved[name] = min(places[name], floor)
        floor = moved[name] - apart
    return moved


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, about five."""
    steps = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 1000)
    step = next((step for step in steps if (high - low) / step <= 6), high)
    return [round(i * step, 2) if step < 1 else int(i * step) for i in range(int(high / step) + 1) if i * step >= low]
