"""Training curves: loss and errors of every epoch of all runs, and where the learning rate falls.

Each group of nets has three panels: loss, top-1 error (validation solid, training dashed) and top-5 error. All seeds of
a net share a colour. Training errors are running averages with dropout and random crops, so they lie above those of
Table 3.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from zfnet.paper.results import Results
from zfnet.training.experiments import variant_of

GROUPS = {  # heading: pattern of the nets
    "Fig. 3 model": "zf|zf-clean|zf-unclipped",
    "Its widths": r"zf|zf-wide|zf-fc\d+|zf-wide-fc\d+",
    "Krizhevsky's net without layers": r"krizhevsky|krizhevsky-no\d+",
    "Krizhevsky's net with other widths": r"krizhevsky|krizhevsky-fc\d+",
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
    """One curve: its training, the number of its net in the legend, and its points in the panel."""

    run: str
    number: int
    training: bool
    points: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes with all curves of a group."""

    title: str
    alt: str
    lines: list[Line]
    labels: list[tuple[float, int]]  # height and number at the end of each net's curves
    epochs: list[tuple[float, float]]
    values: list[tuple[float, float]]
    falls: list[float]


@dataclass(frozen=True)
class Group:
    """Panels of related nets, and their legend (net, trainings, mean of the final top-5 errors)."""

    title: str
    panels: list[Panel]
    key: list[tuple[str, int, float | None]]


def groups(results: Results) -> list[Group]:
    """Return all trainings that have a history, in groups."""
    nets: dict[str, dict[str, History]] = {}
    for name, run in results.runs.items():
        if history := results.history(run):
            nets.setdefault(variant_of(name), {})[name] = history
    chosen = {title: [net for net in nets if re.fullmatch(pattern, net)] for title, pattern in GROUPS.items()}
    named = {net for group in chosen.values() for net in group}
    chosen["Other nets"] = [net for net in nets if net not in named]
    return [_group(title, {net: nets[net] for net in group}) for title, group in chosen.items() if group]


def _group(title: str, nets: dict[str, dict[str, History]]) -> Group:
    panels = [_panel(title, name, nets, keys) for name, keys in MEASURES.items()]
    key = [(net, len(runs), _mean_end(runs, "val_top5")) for net, runs in nets.items()]
    return Group(title, panels, key)


def _mean_end(runs: dict[str, History], key: str) -> float | None:
    """Return the mean over trainings of the last value, None without values."""
    ends = [points[-1][1] for rows in runs.values() if (points := _points(rows, key))]
    return sum(ends) / len(ends) if ends else None


def _panel(group: str, title: str, nets: dict[str, dict[str, History]], keys: dict[str, str]) -> Panel:
    histories = [rows for runs in nets.values() for rows in runs.values()]
    values = [value for rows in histories for key in keys for _, value in _points(rows, key)]
    scale = _Scale(max(row["epoch"] for rows in histories for row in rows), max(values, default=1) or 1)
    first = next(iter(keys))
    ends = {number: _mean_end(runs, first) for number, runs in enumerate(nets.values(), 1)}
    labels = spread({number: scale.y(end) for number, end in ends.items() if end is not None}, APART, HEIGHT - BOTTOM)
    return Panel(
        title,
        _alt(f"{group}, {title}", nets, first),
        [
            Line(run, number, key != first, scale.path(_points(rows, key)))
            for key in reversed(keys)
            for number, runs in enumerate(nets.values(), 1)
            for run, rows in runs.items()
        ],
        [(y, number) for number, y in labels.items()],
        [(scale.x(epoch), epoch) for epoch in ticks(1, scale.last)],
        [(scale.y(value), value) for value in ticks(0, scale.highest)],
        [scale.x(epoch - 0.5) for epoch in sorted({epoch for rows in histories for epoch in rate_falls(rows)})],
    )


def _points(rows: History, key: str) -> list[Point]:
    return [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]


def rate_falls(rows: Sequence[dict[str, Any]]) -> list[int]:
    """Return the epochs that are the first with a lower learning rate."""
    return [
        after["epoch"]
        for before, after in pairwise(rows)
        if after.get("learning_rate", 0) < before.get("learning_rate", 0)
    ]


def _alt(title: str, nets: dict[str, dict[str, History]], key: str) -> str:
    """Return a sentence that says what the panel shows and where the curves end."""
    ends = {net: _mean_end(runs, key) for net, runs in nets.items()}
    return f"{title} against epochs. At the end: {', '.join(f'{n} {e:.1f}' for n, e in ends.items() if e is not None)}."


@dataclass(frozen=True)
class _Scale:
    """Converts epochs and values to pixels."""

    last: float
    highest: float

    def x(self, epoch: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(self.last - 1, 1), 1)

    def y(self, value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / self.highest), 1)

    def path(self, points: Iterable[Point]) -> str:
        return " ".join(f"{self.x(epoch):g},{self.y(value):g}" for epoch, value in points)


def spread(places: dict[Any, float], apart: float, lowest: float) -> dict[Any, float]:
    """Move labels so that neighbours are `apart` and none lies below `lowest`, in the same order."""
    names = sorted(places, key=places.__getitem__)
    moved: dict[Any, float] = {}
    floor = lowest
    for name in reversed(names):
        moved[name] = min(places[name], floor)
        floor = moved[name] - apart
    return moved


def ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers from low to high."""
    steps = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 1000)
    step = next((step for step in steps if (high - low) / step <= 6), high)
    return [round(i * step, 2) if step < 1 else int(i * step) for i in range(int(high / step) + 1) if i * step >= low]
