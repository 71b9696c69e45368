"""What the report quotes: the decisions, the workflow's graph and how to cite.

They are data of the package, so an installed wheel needs no checkout. docs/decisions.md, docs/workflow.md and
CITATION.cff repeat them; tests compare both.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def _yaml(name: str) -> Any:
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


# ---- decisions -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Decision:
    """What the papers leave open, what was chosen, and the settings that say so."""

    name: str
    question: str
    choice: str
    settings: tuple[str, ...]  # dotted paths; `*` stands for any part


def decisions() -> list[Decision]:
    """Return the decisions D1, D2 … in order."""
    return [
        Decision(name, row["question"], row["choice"], tuple(row["settings"]))
        for name, row in _yaml("decisions.yaml").items()
    ]


def explain_decisions() -> str:
    """Return the decisions as the Markdown table of docs/decisions.md."""
    lines = ["| id | question | choice | setting |", "|---|---|---|---|"]
    for decision in decisions():
        cells = [decision.name, decision.question, decision.choice, ", ".join(_abbreviated(decision.settings))]
        lines.append(f"| {' | '.join(cells).rstrip()} |")
    return "\n".join(lines) + "\n"


def _abbreviated(paths: tuple[str, ...]) -> Iterator[str]:
    """Yield paths as code; one with the same parent as its predecessor is written `.name`."""
    parent = None
    for path in paths:
        before, (parent, _, name) = parent, path.rpartition(".")
        yield f"`.{name}`" if parent == before else f"`{path}`"


def set_to(decision: Decision, values: dict[str, str]) -> list[tuple[str, str]]:
    """Return what a decision's settings were set to in a run, as (path, value), given all settings by path.

    If all paths that a `*` stands for have one value, it is listed once, under the path with the `*`.
    """
    matched: dict[str, list[tuple[str, str]]] = {}
    for pattern in decision.settings:
        matcher = re.compile(re.escape(pattern).replace(r"\*", r"\w+") + r"(\..*)?")
        for path, value in values.items():
            if match := matcher.fullmatch(path):
                matched.setdefault(pattern + (match[1] or ""), []).append((path, value))
    return [
        row
        for pattern, rows in matched.items()
        for row in ([(pattern, rows[0][1])] if len({value for _, value in rows}) == 1 else rows)
    ]


# ---- workflow --------------------------------------------------------------------------------------------------------
def edges() -> list[tuple[str, str]]:
    """Return the edges of the workflow's graph, from rule to rule that needs it."""
    return [(rule, needing) for rule, users in _yaml("workflow.yaml").items() for needing in users]


# ---- citation --------------------------------------------------------------------------------------------------------
def citation() -> dict[str, Any]:
    """Return this software and its references as lines of text."""
    record = _yaml("citation.yaml")
    own = f"{_people(record['authors'])}: {record['title']}. Version {record['version']}."
    return {"message": record["message"], "own": own, "references": [_reference(work) for work in record["references"]]}


def _reference(work: dict[str, Any]) -> str:
    where = work.get("collection-title") or work.get("journal") or work.get("institution", {}).get("name", "")
    pages = f", pp. {work['start']}-{work['end']}" if "start" in work else ""
    notes = f"; {work['notes']}" if "notes" in work else ""
    return f"{_people(work['authors'])} ({work['year']}): {work['title']}. {where}{pages}{notes}."


def _people(authors: list[dict[str, str]]) -> str:
    return ", ".join(author.get("name") or f"{author['given-names']} {author['family-names']}" for author in authors)
