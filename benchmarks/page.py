"""Tables and remarks of the benchmarks in readable form: on a terminal, and as results/bench/README.md."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.table import Table

SHOWN = ("case", "ours", "unit", "limit", "peer", "peer_name", "ratio", "peak_mb")
TITLES = ("case", "ours", "unit", "limit", "peer", "peer name", "ratio", "ours, peak MB")


def table(groups: Iterable[str], out: Path) -> Table:
    """Return all rows of these groups as one table for the terminal."""
    rows = Table("group", *TITLES)
    for group in groups:
        for row in _rows(out, group):
            rows.add_row(group, *row)
    return rows


def page(out: Path) -> str:
    """Return everything in the folder `out`, from any run of the benchmarks, as Markdown.

    Each group states when and at which commit it was measured. The machine is that of the last run.
    """
    machine = _json(out / "machine.json")
    groups = sorted(path.stem for path in out.glob("*.csv"))
    return "\n".join([_machine(machine), *(_section(out, group) for group in groups)])


def _machine(machine: dict[str, Any]) -> str:
    gpus = ", ".join(machine["gpus"]) or "no GPU"
    instructions = ", ".join(machine["instructions"]) or "no relevant vector instructions"
    versions = machine["provenance"]["versions"]
    libraries = ", ".join(
        f"{name} {versions[name]}" for name in ("torch", "torchvision", "scikit-learn") if name in versions
    )
    return (
        f"Machine: {machine['processor']} ({instructions}), {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{gpus}; Python {machine['provenance']['python']}, {libraries}.\n"
    )


def _section(out: Path, group: str) -> str:
    record = _json(out / f"{group}.json")
    lines = [f"## {group}", "", *(["**Quick sizes: these numbers mean nothing.**", ""] if record["quick"] else [])]
    lines += ["| " + " | ".join(TITLES) + " |", "|---|" + "---:|" * (len(TITLES) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(out, group)]
    lines += ["", *(f"- {remark}" for remark in record["remarks"])]
    dirty = " with uncommitted changes" if record["dirty"] else ""
    lines += [f"- Measured at {record['time']}, commit {str(record['commit'])[:7]}{dirty}.", ""]
    return "\n".join(lines)


def _rows(out: Path, group: str) -> list[list[str]]:
    with (out / f"{group}.csv").open(encoding="utf-8", newline="") as file:
        return [[_short(row[column]) for column in SHOWN] for row in csv.DictReader(file)]


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _short(value: str) -> str:
    """Return a number rounded to three digits; any other text unchanged."""
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
