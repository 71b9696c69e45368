"""Where every number comes from and what it cost: files, runs, commits, hashes, commands, hours.

Everything is read from the stages' own records; what they did not measure stays None.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zfnet.paper.results import Results, Run

HASHES = ("data", "train", "val", "spec", "weights", "manifest", "settings")
ABOUT = ("commit", "dirty", "time", "command", "device")


@dataclass(frozen=True)
class Origin:
    """A file, the training that it belongs to, and the record of the command that wrote it."""

    file: str
    found: bool = True
    run: str = ""
    commit: str = ""
    dirty: bool = False
    time: str = ""
    command: str = ""
    device: str = ""
    hashes: tuple[tuple[str, str], ...] = ()  # of data and specs, (what, hexadecimal)


def origins(results: Results, patterns: Iterable[str]) -> list[Origin]:
    """Return the files that match these patterns; a pattern without a match gives an origin that is not found."""
    rows = []
    for pattern in patterns:
        paths = [path for path in sorted(results.root.glob(pattern)) if _current(results, path)]
        rows += [origin(results, path) for path in paths] or [Origin(pattern, found=False)]
    return rows


def _current(results: Results, path: Path) -> bool:
    """Return whether a file belongs to no training, or to one of the current settings."""
    return not (run := _run(results, path)) or run in results.runs


def _run(results: Results, path: Path) -> str:
    parts = path.relative_to(results.root).parts
    return parts[1] if parts[0] == "runs" else ""


def origin(results: Results, path: Path) -> Origin:
    """Return what is known of a file: from itself (JSON), or from the JSON file of the same name."""
    about = path.with_suffix(".json")
    content = results.json(str(about.relative_to(results.root)))
    content = content if isinstance(content, dict) else {}
    made = content.get("provenance", {})
    known = {key: made[key] for key in ABOUT if made.get(key)}
    file = str(path.relative_to(results.root))
    return Origin(file, run=_run(results, path), **known, hashes=tuple(_hashes({**content, **made})))


def _hashes(content: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield the hashes of inputs: at the top level, one level below, or listed as inputs."""
    for name, files in content.get("inputs", {}).items():
        for file in files if isinstance(files, list) else [files]:
            yield name, file["sha256"]
    for key in HASHES:
        value = content.get(key)
        for name, text in value.items() if isinstance(value, dict) else [(key, value)]:
            if isinstance(text, str) and len(text) == 64:
                yield name, text


# ---- trainings -------------------------------------------------------------------------------------------------------
COST = (
    "epochs",
    "parameters",
    "images_per_second",
    "seconds",
    "cpu_seconds",
    "peak_memory_mb",
    "peak_gpu_memory_mb",
    "device",
    "precision",
    "threads",
    "val_top5",
    "stuck",
)


def cost(results: Results) -> list[dict[str, Any]]:
    """Return the cost of every finished training from its metrics; GPU time is wall time on a GPU."""
    rows = []
    for name, run in results.runs.items():
        metrics = results.of_run(run, "metrics")
        if metrics:
            row = {"run": name, **{key: metrics.get(key) for key in COST}}
            rows.append({**row, "gpu_seconds": _gpu_seconds(row), "origins": _of_run(results, run)})
    return rows


def _gpu_seconds(row: dict[str, Any]) -> float | None:
    """Return wall time on a GPU, 0 on a CPU, None if unknown."""
    if row["device"] is None or row["seconds"] is None:
        return None
    return 0.0 if row["device"] == "cpu" else row["seconds"]


def _of_run(results: Results, run: Run) -> list[Origin]:
    files = ("metrics.json", "evaluation.json")
    return [origin(results, run.folder / name) for name in files if (run.folder / name).exists()]


def totals(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return sums over all trainings; None if any was not measured."""
    return {key: _sum([row[key] for row in rows]) for key in ("seconds", "cpu_seconds", "gpu_seconds")}


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None


STAGES = ("transfer/**/*.json", "visualize/**/*.json", "runs/*/evaluation.json")


def stages(results: Results) -> list[tuple[str, float, str]]:
    """Return the cost of the later stages, (what, seconds, device), with all evaluations in one sum."""
    rows, evaluated = [], []
    for path in sorted(path for pattern in STAGES for path in results.root.glob(pattern) if _current(results, path)):
        name = path.relative_to(results.root).with_suffix("").as_posix()
        content = results.json(f"{name}.json")
        made = content.get("provenance", {}) if isinstance(content, dict) else {}
        seconds = made.get("seconds", content.get("seconds") if isinstance(content, dict) else None)
        if seconds is not None and name.startswith("runs/"):
            evaluated.append((seconds, made.get("device", "")))
        elif seconds is not None:
            rows.append((name, seconds, made.get("device", "")))
    if evaluated:
        devices = ", ".join(sorted({device for _, device in evaluated} - {""}))
        rows.append((f"errors of {len(evaluated)} trainings", sum(seconds for seconds, _ in evaluated), devices))
    return rows
