"""Measure both sides of a comparison in processes of their own, and write results/bench/<group>.csv.

A group is a module of this package with a function `results(bench)` that yields rows and remarks. Each side of a row is
a function of such a module, run in a fresh process: its peak memory is then its own, and neither side warms the caches
of the other. A ratio above 1 means that ours is better, whatever the unit. The limit is what this machine could reach,
measured in the same run: decoding alone, its memory bandwidth, or its rate of matrix products.
"""

import csv
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from benchmarks.page import page, table
from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, write_json, write_text

GROUPS = (
    *("loader", "sharding", "norm", "pool", "step", "end_to_end", "scaling"),
    *("projection", "strongest", "svm", "softmax", "duplicates"),
)
COLUMNS = ("case", "ours", "peer", "peer_name", "ratio", "unit", "peak_mb", "limit")


class Side(NamedTuple):
    """The measurement of one process: its value in the unit of the row, and its peak memory."""

    value: float
    peak_mb: float


@dataclass(frozen=True)
class Row:
    """One comparison; `peer` is None if there is nothing to compare with.

    `unit` is a rate ("images/s": more is better) or a cost ("s", "MB": less is better). `limit` is what the hardware
    allows, in this unit; None if it was not measured.
    """

    case: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    peak_mb: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better ours is; None without a peer."""
        if self.peer is None:
            return None
        return self.ours / self.peer if self.unit.endswith("/s") else self.peer / self.ours


@dataclass(frozen=True)
class Bench:
    """Settings of a benchmark run.

    Attributes
    ----------
    work : folder for files that the sides share, such as generated images; kept between the groups of a run
    cores : number of cores a side may use
    quick : tiny sizes, which check that a benchmark runs and measure nothing useful
    """

    work: Path
    cores: int
    quick: bool = False

    @property
    def core_counts(self) -> list[int]:
        """Numbers of cores at which a rate is measured: one and all (quick: only all)."""
        return [self.cores] if self.quick else sorted({1, self.cores})

    def side(self, function: str, threads: int | None = None, **arguments: Any) -> Side:
        """Run `module:function(**arguments)` of this package in a fresh process, and return what it measured.

        Parameters
        ----------
        threads : CPU threads of the libraries in that process; None: one for each core
        **arguments : passed as JSON

        Raises
        ------
        ZfnetError
            The process failed; the message ends with the end of its output.
        """
        count = str(threads or self.cores)
        environment = os.environ | {name: count for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        command = [sys.executable, "-m", "benchmarks.side", function, json.dumps(arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise ZfnetError(f"The benchmark {function} failed with {arguments}: {done.stderr[-2000:]}")
        return Side(**json.loads(done.stdout.splitlines()[-1]))

    def compare(
        self, case: str, unit: str, ours: str, peer: str, peer_name: str, threads: int | None = None, **arguments: Any
    ) -> Row:
        """Measure two functions with the same arguments, and return them as a row."""
        our_side, peer_side = (self.side(function, threads, **arguments) for function in (ours, peer))
        return Row(case, our_side.value, unit, peer_side.value, peer_name, our_side.peak_mb)


def select_groups(groups: list[str]) -> tuple[str, ...]:
    """Return the requested groups in the order of `GROUPS`, or all of them if none is named.

    Raises
    ------
    ZfnetError
        A name is not the name of a group.
    """
    if unknown := [group for group in groups if group not in GROUPS]:
        raise ZfnetError(f"{', '.join(unknown)}: no such benchmark; expected one of {', '.join(GROUPS)}.")
    return tuple(group for group in GROUPS if group in groups or not groups)


def run(groups: tuple[str, ...], bench: Bench, out: Path) -> None:
    """Run groups, print their rows, and write a table per group, the description of the machine and a page of all."""
    write_json(out / "machine.json", machine(bench))
    console = Console()
    for group in groups:
        rows: list[Row] = []
        remarks: list[str] = []
        for result in import_module(f"benchmarks.{group}").results(bench):
            if isinstance(result, Row):
                rows.append(result)
            else:
                remarks.append(result)
            console.print(f"{group}: {_text(result)}", highlight=False)
        _write(out / f"{group}.csv", rows)
        write_json(out / f"{group}.json", {"remarks": remarks, "quick": bench.quick, **_source()})
    console.print(table(groups, out))
    write_text(out / "README.md", page(out))


def machine(bench: Bench) -> dict[str, Any]:
    """Return a description of the machine: processor and its matrix instructions, memory, GPUs, libraries, commit."""
    from zfnet.core.gpu_cards import cards
    from zfnet.core.provenance import provenance

    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in cpu.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"} & set(fields.get("flags", "").split())
    return {
        "processor": fields.get("model name", platform.processor()),
        "instructions": sorted(flags),
        "cores": bench.cores,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": [f"{card.name}, driver {card.driver}" for card in cards()],
        "provenance": provenance(),
    }


def _source() -> dict[str, Any]:
    from zfnet.core.provenance import provenance

    return {key: value for key, value in provenance().items() if key in ("commit", "dirty", "time")}


def _write(path: Path, rows: list[Row]) -> None:
    with atomic(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows({column: (asdict(row) | {"ratio": row.ratio})[column] for column in COLUMNS} for row in rows)


def _text(result: Row | str) -> str:
    if isinstance(result, str):
        return result
    peer = "" if result.ratio is None else f", {result.peer_name} {result.peer:,.4g}: {result.ratio:.2f} times"
    limit = "" if result.limit is None else f" (limit {result.limit:,.4g})"
    return f"{result.case}: {result.ours:,.4g} {result.unit}{limit}{peer}"
