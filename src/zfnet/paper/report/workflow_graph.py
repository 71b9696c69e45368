"""The workflow's picture: rules in columns from left to right, each to the right of all that it needs.

An arrow that a longer way already implies is left out (transitive reduction), which keeps the picture readable.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

Edge = tuple[str, str]
BOX = (112, 28)  # width and height of a rule
STEP = (136, 42)  # from column to column, from row to row
MARGIN = 6


@dataclass(frozen=True)
class Rule:
    """A box: its name and the place of its left upper corner, pixels."""

    name: str
    x: float
    y: float


def levels(edges: list[Edge]) -> dict[str, int]:
    """Column of every rule: the length of the longest way to it.

    The graph must have no circle, as those of workflows.
    """
    before: dict[str, list[str]] = {name: [] for edge in edges for name in edge}
    for start, end in edges:
        before[end].append(start)

    @cache
    def level(name: str) -> int:
        return max((level(one) + 1 for one in before[name]), default=0)

    return {name: level(name) for name in before}


def reduced(edges: list[Edge]) -> list[Edge]:
    """The arrows that no longer way implies."""
    after: dict[str, set[str]] = {name: set() for edge in edges for name in edge}
    for start, end in edges:
        after[start].add(end)

    @cache
    def reach(name: str) -> frozenset[str]:
        return frozenset(after[name].union(*(reach(one) for one in after[name])))

    return [(a, b) for a, b in edges if not any(b in reach(other) for other in after[a] - {b})]


def layout(edges: list[Edge]) -> dict[str, Any]:
    """Boxes, arrows (paths of SVG) and size of the picture."""
    column = levels(edges)
    kept = reduced(edges)
    members = _ordered(column, kept)
    tallest = max(map(len, members))
    rules = {
        name: Rule(name, MARGIN + x * STEP[0], MARGIN + ((tallest - len(names)) / 2 + y) * STEP[1])
        for x, names in enumerate(members)
        for y, name in enumerate(names)
    }
    width = MARGIN * 2 + (len(members) - 1) * STEP[0] + BOX[0]
    height = MARGIN * 2 + (tallest - 1) * STEP[1] + BOX[1]
    arrows = [_arrow(rules[a], rules[b]) for a, b in kept]
    alt = "; ".join(f"{name} needs {', '.join(a for a, b in kept if b == name)}" for name in rules if column[name])
    return {"rules": list(rules.values()), "arrows": arrows, "width": width, "height": height, "box": BOX, "alt": alt}


def _ordered(column: dict[str, int], edges: list[Edge]) -> list[list[str]]:
    """Names by column; within one, by the mean place of what they need, so that fewer arrows cross."""
    members: list[list[str]] = []
    place: dict[str, float] = {}
    for level in range(max(column.values()) + 1):
        needs = {name: [place[a] for a, b in edges if b == name] for name in column if column[name] == level}
        names = sorted(needs, key=lambda name: sum(needs[name]) / max(len(needs[name]), 1))
        place |= {name: y - len(names) / 2 for y, name in enumerate(names)}
        members.append(names)
    return members


def _arrow(start: Rule, end: Rule) -> str:
    """A curve from the right side of one box to the left side of the other."""
    x, y = start.x + BOX[0], start.y + BOX[1] / 2
    to_x, to_y = end.x - 5, end.y + BOX[1] / 2
    middle = (x + to_x) / 2
    return f"M{x:g},{y:g} C{middle:g},{y:g} {middle:g},{to_y:g} {to_x:g},{to_y:g}"
