"""Read one results folder: all input of the tables, figures, claims and the report comes through here.

A missing file is None, so that the caller can say why a cell stays empty; a broken file is an error.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file

from zfnet.core.errors import ZfnetError, first_line
from zfnet.core.parsing import parse_json
from zfnet.evaluation.top_k import missed
from zfnet.paper import schemas
from zfnet.paper.availability import NOT_RUN
from zfnet.paper.items import SHOWN
from zfnet.training.experiments import run_name, variant_of


class Arrays(dict[str, np.ndarray]):
    """The arrays of a file; one that it lacks is a sentence about the file."""

    def __init__(self, arrays: dict[str, np.ndarray], path: Path, name: str) -> None:
        super().__init__(arrays)
        self.path, self.name = path, name

    def __missing__(self, key: str) -> np.ndarray:
        raise schemas.damaged(self.path, self.name, f"it has no array {key}")


@dataclass(frozen=True)
class Run:
    """One training: its name, its seed and its folder."""

    name: str
    seed: int
    folder: Path

    @property
    def variant(self) -> str:
        """The net that was trained, such as `zf-wide`."""
        return variant_of(self.name)


class Results:
    """The files below one results folder (results/PRESET)."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._misses: dict[tuple[str, bool], dict[int, np.ndarray] | None] = {}
        if not self.root.is_dir():
            raise ZfnetError(f"{self.root}: no such results folder; run the workflow first (make demo).")

    # ---- files of any kind: each is checked once, when it is read (see schemas.py) ------------------------------
    def json(self, name: str) -> Any:
        """Return the content of a JSON file, None if there is none; a damaged one is a ZfnetError."""
        path = self.root / name
        if not path.exists():
            return None
        schemas.check_size(path, name)
        try:
            content = parse_json(path.read_bytes())
        except ValueError as error:  # not UTF-8, not JSON; nested too deeply
            raise schemas.damaged(path, name, f"not valid JSON: {first_line(error)}") from None
        schemas.check(path, name, content)
        return content

    def frame(self, name: str) -> pd.DataFrame | None:
        """Return the content of a CSV file, None if there is none; a damaged one is a ZfnetError."""
        path = self.root / name
        if not path.exists():
            return None
        schemas.check_size(path, name)
        try:
            frame = pd.read_csv(path)
        except (ValueError, OverflowError) as error:
            raise schemas.damaged(path, name, f"not a readable CSV table: {first_line(error)}") from None
        if not isinstance(frame.index, pd.RangeIndex):  # what pandas makes of it
            raise schemas.damaged(path, name, "its rows have more cells than its header")
        schemas.check_rows(path, name, frame)
        return frame

    def required_json(self, name: str) -> Any:
        """Return the content of a JSON file; a missing one is a ZfnetError."""
        self._existing(name)
        return self.json(name)

    def required_frame(self, name: str) -> pd.DataFrame:
        """Return the content of a CSV file; a missing one is a ZfnetError."""
        self._existing(name)
        frame = self.frame(name)
        assert frame is not None
        return frame

    def _existing(self, name: str) -> Path:
        path = self.root / name
        if not path.exists():
            raise ZfnetError(f"{path}: no such file; make it with `snakemake {path}`.")
        return path

    def arrays(self, name: str) -> Arrays:
        """Return the arrays of a safetensors file; a missing or damaged one is a ZfnetError."""
        path = self._existing(name)
        try:
            return Arrays(load_file(path), path, name)
        except (SafetensorError, OSError, ValueError) as error:
            raise schemas.damaged(path, name, f"not a readable safetensors file: {first_line(error)}") from None

    # ---- trainings ---------------------------------------------------------------------------------------------
    @cached_property
    def runs(self) -> dict[str, Run]:
        """The trainings of the current settings that have a folder, by name.

        settings/runs.json lists them; folders left by other settings (with more seeds, say) are ignored.
        """
        current = self.json("settings/runs.json")
        folders = sorted(path for path in (self.root / "runs").glob("*") if path.is_dir())
        folders = [folder for folder in folders if current is None or folder.name in current]
        return {folder.name: Run(folder.name, self._seed(folder), folder) for folder in folders}

    def _seed(self, folder: Path) -> int:
        """Return the seed of a training by its spec, else by its name."""
        spec = self.json(f"runs/{folder.name}/spec.json")
        suffix = re.search(r"-s(\d+)$", folder.name)
        return spec["seed"] if spec else int(suffix[1]) if suffix else 1

    def seeds(self, variant: str) -> list[Run]:
        """Return the trainings of one variant (`zf`, `zf-wide`, `krizhevsky-no7` …) in the order of their seeds."""
        return sorted((run for run in self.runs.values() if run.variant == variant), key=lambda run: run.seed)

    def first(self, variant: str) -> str:
        """Return the name of the first training of a variant, whether it has a folder yet or not."""
        return next((run.name for run in self.seeds(variant)), run_name(variant))

    def shown(self, name: str, variant: str = SHOWN) -> str:
        """Return visualize/RUN/`name` of the first training of a variant, by default the net that figures show."""
        return f"visualize/{self.first(variant)}/{name}"

    def looked_at(self, name: str) -> list[Run]:
        """Return the trainings of the net of Figure 3 that have visualize/RUN/`name`.

        settings/looked-at.json lists the current ones; files left by other settings are ignored.
        """
        current = self.json("settings/looked-at.json")
        runs = [run for run in self.seeds(SHOWN) if current is None or run.name in current]
        return [run for run in runs if (self.root / "visualize" / run.name / name).exists()]

    def not_run(self, item: str) -> list[str]:
        """Return the archives for want of which a table or figure was not run; none if it was to be run."""
        return (self.json(NOT_RUN) or {}).get(item, [])

    def of_run(self, run: Run, name: str) -> Any:
        """Return the content of runs/RUN/`name`.json, None if there is none."""
        return self.json(f"runs/{run.name}/{name}.json")

    def history(self, run: Run) -> list[dict[str, Any]]:
        """Return the epochs of a training so far; a last line that a crash cut off is left out."""
        name = f"runs/{run.name}/history.jsonl"
        path = self.root / name
        if not path.exists():
            return []
        schemas.check_size(path, name)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        rows = [_parsed(line) for line in lines]
        if rows and rows[-1] is None:
            rows.pop()
        for row in rows:
            schemas.check(path, name, row)
        return [row for row in rows if row is not None]

    def error(self, run: Run, measure: str) -> float | None:
        """Return an error in per cent: `val_top1` or `val_top5` (ten crops), `centre_top1`, `train_top1` …"""
        evaluation = self.of_run(run, "evaluation")
        if evaluation is None:
            return None
        part, k = measure.rsplit("_", 1)
        path = {"val": ("val", "ten"), "centre": ("val", "centre"), "train": ("train", "centre")}[part]
        try:
            return float(evaluation[path[0]][path[1]][k])
        except (KeyError, TypeError):
            return None

    def errors(self, variant: str, measure: str) -> pd.Series:
        """Return one error of every training of a variant, in per cent, indexed by seed."""
        by_seed = {run.seed: self.error(run, measure) for run in self.seeds(variant)}
        return pd.Series(by_seed, dtype=float, name=variant).dropna()

    def predictions(self, run: Run) -> tuple[np.ndarray, np.ndarray] | None:
        """Return ten-crop probabilities, float32 (N, C), and labels, int64 (N,), None if there are none."""
        name = f"runs/{run.name}/predictions.safetensors"
        if not (self.root / name).exists():
            return None
        arrays = self.arrays(name)
        probabilities, labels = arrays["probabilities"], arrays["labels"]
        if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
            raise schemas.damaged(arrays.path, name, "probabilities and labels do not fit")
        return probabilities, labels

    def misses(self, run: Run, centre: bool = False) -> dict[int, np.ndarray] | None:
        """Return whether ten crops (or the centre crop) miss each image's label: {1: …, 5: …}, bool (N,)."""
        if (run.name, centre) not in self._misses:
            self._misses[run.name, centre] = self._missed(run, centre)
        return self._misses[run.name, centre]

    def _missed(self, run: Run, centre: bool) -> dict[int, np.ndarray] | None:
        name = f"runs/{run.name}/predictions.safetensors"
        if centre:
            arrays = self.arrays(name) if (self.root / name).exists() else {}
            return {k: arrays[f"centre_missed{k}"] > 0 for k in (1, 5)} if "centre_missed1" in arrays else None
        pair = self.predictions(run)
        return {k: missed(*pair, k) for k in (1, 5)} if pair else None


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return parse_json(line)
    except ValueError:
        return None
