"""The benchmarks' tables and remarks as a person reads them: on a terminal, and as results/bench/README.md."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.table import Table

HEAD = ("case", "ours", "unit", "peer", "peer_name", "ratio", "peak_mb")
TITLES = ("case", "ours", "unit", "peer", "which", "ratio", "ours, peak MB")


def table(groups: Iterable[str], out: Path) -> Table:
    """All rows of these groups as one table for a terminal."""
    found = Table("group", *TITLES)
    for group in groups:
        for row in _rows(out, group):
            found.add_row(group, *row)
    return found


def page(out: Path) -> str:
    """Everything that lies in `out`, whichever run of `zfnet bench` measured it, as Markdown.

    Each group says when and at which commit it was measured; the processor is that of the last run.
    """
    machine = _json(out / "machine.json")
    groups = sorted(path.stem for path in out.glob("*.csv"))
    return "\n".join([_machine(machine), *(_section(out, group) for group in groups)])


def _machine(machine: dict[str, Any]) -> str:
    gpus = ", ".join(machine["gpus"]) or "no GPU"
    units = ", ".join(machine["instructions"]) or "no vector units that matter here"
    versions = machine["provenance"]["versions"]
    libraries = ", ".join(
        f"{name} {versions[name]}" for name in ("torch", "torchvision", "scikit-learn") if name in versions
    )
    return (
        f"Machine: {machine['processor']} ({units}), {machine['cores']} cores, {machine['memory_gb']} GB, {gpus}; "
        f"Python {machine['provenance']['python']}, {libraries}.\n"
    )


def _section(out: Path, group: str) -> str:
    about = _json(out / f"{group}.json")
    lines = [f"## {group}", "", *(["**Quick sizes: these numbers say nothing.**", ""] if about["quick"] else [])]
    lines += ["| " + " | ".join(TITLES) + " |", "|---|" + "---:|" * (len(TITLES) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(out, group)]
    lines += ["", *(f"- {remark}" for remark in about["remarks"])]
    dirty = " and changes" if about["dirty"] else ""
    lines += [f"- Measured at {about['time']}, commit {str(about['commit'])[:7]}{dirty}.", ""]
    return "\n".join(lines)


def _rows(out: Path, group: str) -> list[list[str]]:
    with (out / f"{group}.csv").open(encoding="utf-8", newline="") as file:
        return [[_short(row[column]) for column in HEAD] for row in csv.DictReader(file)]


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _short(value: str) -> str:
    """Three figures of a number; anything else as it is."""
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
