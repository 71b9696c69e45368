"""What the report takes from the repository: the decisions, the workflow's graph and how to cite.

They stand in docs/decisions.md, docs/workflow.md and CITATION.cff and nowhere else. Where the package was installed
without its repository, they are missing, and the report says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[4]


def _text(name: str, repository: Path) -> str:
    path = repository / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


# ---- decisions -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Decision:
    """A row of docs/decisions.md: what the papers leave open, what was chosen, and the settings that say so."""

    name: str
    question: str
    choice: str
    settings: tuple[str, ...]  # dotted paths; `*` stands for any part


def decisions(repository: Path = REPOSITORY) -> list[Decision]:
    """The decisions D1, D2 … in their order; none where there is no docs/decisions.md."""
    rows = re.findall(r"^\| (D\d+) \|(.*)\|(.*)\|(.*)\|$", _text("docs/decisions.md", repository), re.MULTILINE)
    return [
        Decision(name, question.strip(), choice.strip(), tuple(_paths(settings)))
        for name, question, choice, settings in rows
    ]


def _paths(cell: str) -> Iterator[str]:
    """Paths named in a cell: '`a.b.c`, `.d`' are a.b.c and a.b.d."""
    parent = ""
    for name in re.findall(r"`([\w.*]+)`", cell):
        path = f"{parent}{name}" if name.startswith(".") else name
        parent = path.rpartition(".")[0]
        yield path


def set_to(decision: Decision, values: dict[str, str]) -> list[tuple[str, str]]:
    """What a decision's settings were set to in a run, as (path, value), from all settings by path.

    Where all paths that a `*` stands for have one value, it is given once, under the path with the `*`.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for pattern in decision.settings:
        matcher = re.compile(re.escape(pattern).replace(r"\*", r"\w+") + r"(\..*)?")
        for path, value in values.items():
            if match := matcher.fullmatch(path):
                found.setdefault(pattern + (match[1] or ""), []).append((path, value))
    once = {pattern: {value for _, value in rows} for pattern, rows in found.items()}
    return [
        row for pattern, rows in found.items() for row in ([(pattern, rows[0][1])] if len(once[pattern]) == 1 else rows)
    ]


# ---- workflow --------------------------------------------------------------------------------------------------------
def edges(repository: Path = REPOSITORY) -> list[tuple[str, str]]:
    """The arrows of the workflow's graph, from rule to rule; none where there is no docs/workflow.md."""
    return re.findall(r"^\s*(\w+) --> (\w+)$", _text("docs/workflow.md", repository), re.MULTILINE)


# ---- citation --------------------------------------------------------------------------------------------------------
def citation(repository: Path = REPOSITORY) -> dict[str, Any] | None:
    """This software and its references as lines of text; None where there is no CITATION.cff."""
    found = yaml.safe_load(_text("CITATION.cff", repository))
    if not found:
        return None
    own = f"{_people(found['authors'])}: {found['title']}. Version {found['version']}."
    return {"message": found["message"], "own": own, "references": [_reference(one) for one in found["references"]]}


def _reference(one: dict[str, Any]) -> str:
    where = one.get("collection-title") or one.get("journal") or one.get("institution", {}).get("name", "")
    pages = f", pp. {one['start']}-{one['end']}" if "start" in one else ""
    notes = f"; {one['notes']}" if "notes" in one else ""
    return f"{_people(one['authors'])} ({one['year']}): {one['title']}. {where}{pages}{notes}."


def _people(authors: list[dict[str, str]]) -> str:
    return ", ".join(one.get("name") or f"{one['given-names']} {one['family-names']}" for one in authors)
