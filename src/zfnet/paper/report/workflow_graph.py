"""Lay out the workflow's graph: rules in columns from left to right, each to the right of everything it needs.

Arrows implied by longer paths are left out (transitive reduction), which keeps the drawing readable.
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
    """A box: its name and the position of its upper left corner in pixels."""

    name: str
    x: float
    y: float


def levels(edges: list[Edge]) -> dict[str, int]:
    """Return the column of every rule: the length of the longest path to it.

    The graph must have no cycle.
    """
    before: dict[str, list[str]] = {name: [] for edge in edges for name in edge}
    for start, end in edges:
        before[end].append(start)

    @cache
    def level(name: str) -> int:
        return max((level(needed) + 1 for needed in before[name]), default=0)

    return {name: level(name) for name in before}


def reduced(edges: list[Edge]) -> list[Edge]:
    """Return the edges that no longer path implies."""
    after: dict[str, set[str]] = {name: set() for edge in edges for name in edge}
    for start, end in edges:
        after[start].add(end)

    @cache
    def reach(name: str) -> frozenset[str]:
        return frozenset(after[name].union(*(reach(later) for later in after[name])))

    return [(a, b) for a, b in edges if not any(b in reach(other) for other in after[a] - {b})]


def layout(edges: list[Edge]) -> dict[str, Any]:
    """Return the boxes, arrows (SVG paths) and size of the drawing."""
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
    """Return names by column, sorted by the mean position of what they need, so that fewer arrows cross."""
    members: list[list[str]] = []
    place: dict[str, float] = {}
    for level in range(max(column.values()) + 1):
        needs = {name: [place[a] for a, b in edges if b == name] for name in column if column[name] == level}
        names = sorted(needs, key=lambda name: sum(needs[name]) / max(len(needs[name]), 1))
        place |= {name: y - len(names) / 2 for y, name in enumerate(names)}
        members.append(names)
    return members


def _arrow(start: Rule, end: Rule) -> str:
    """Return a curve from the right side of one box to the left side of the other."""
    x, y = start.x + BOX[0], start.y + BOX[1] / 2
    to_x, to_y = end.x - 5, end.y + BOX[1] / 2
    middle = (x + to_x) / 2
    return f"M{x:g},{y:g} C{middle:g},{y:g} {middle:g},{to_y:g} {to_x:g},{to_y:g}"
