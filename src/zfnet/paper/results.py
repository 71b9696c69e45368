"""Read one results folder: all input of the tables, figures, claims and the report comes through here.

A missing file is None, so that the caller can say why a cell stays empty; a broken file is an error.
"""

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.evaluation.top_k import missed
from zfnet.paper.items import SHOWN
from zfnet.training.experiments import run_name, variant_of

# Required columns, by file.
REQUIRED_COLUMNS = {
    "claims-effects.csv": "claim difference value low high n claimed_above claimed_below digits",
    "visualize/*/correspondence-pairs.csv": "location layer first second distance",
    "visualize/*/evolution.csv": "layer map epoch key",
    "visualize/*/features.csv": "layer map label activation",
    "visualize/filters.csv": "run filters dead norm_median norm_max low middle high aliasing shift dominance",
    "visualize/*/invariance.csv": "image key class transform amount conv1_relative fc7_relative probability",
    "visualize/*/occlusion.csv": "key own control alike apart lost left",
    "visualize/*/methods.csv": "layer unit name method cosine gain",
    "transfer/duplicates-curve.csv": "threshold of name fraction",
    "transfer/heads/*.csv": "head layer size fold accuracy classes train_images test_images",
    "transfer/scratch/*.csv": "size fold accuracy",
    "transfer/voc/ap.csv": "class head ap",
}


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

    # ---- files of any kind -------------------------------------------------------------------------------------
    def json(self, name: str) -> Any:
        """Return the content of a JSON file, None if there is none."""
        path = self.root / name
        return read_json(path) if path.exists() else None

    def frame(self, name: str) -> pd.DataFrame | None:
        """Return the content of a CSV file, None if there is none.

        Raises
        ------
        ZfnetError
            It cannot be read, or lacks a column of `REQUIRED_COLUMNS`.
        """
        path = self.root / name
        if not path.exists():
            return None
        try:
            frame = pd.read_csv(path)
        except ValueError as error:
            raise ZfnetError(f"{path}: not a readable CSV table ({error}); delete it and run the workflow.") from None
        required = next(
            (columns.split() for pattern, columns in REQUIRED_COLUMNS.items() if fnmatch(name, pattern)), []
        )
        missing = [column for column in required if column not in frame]
        if missing:
            raise ZfnetError(f"{path}: column {', '.join(missing)} is missing; delete it and run the workflow again.")
        return frame

    def required_json(self, name: str) -> Any:
        """Return the content of a JSON file; a missing one is a ZfnetError."""
        return read_json(self._existing(name))

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

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of a safetensors file.

        Raises
        ------
        ZfnetError
            The file is missing or cannot be read.
        """
        path = self._existing(name)
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ZfnetError(f"{path}: not a readable safetensors file ({error}); delete it and run again.") from None

    # ---- trainings ---------------------------------------------------------------------------------------------
    @cached_property
    def runs(self) -> dict[str, Run]:
        """The trainings of the current settings that have a folder, by name.

        settings/runs.json lists them; folders left by other settings (with more seeds, say) are ignored.
        """
        current = self.json("settings/runs.json")
        folders = sorted(path for path in (self.root / "runs").glob("*") if path.is_dir())
        folders = [folder for folder in folders if current is None or folder.name in current]
        return {folder.name: Run(folder.name, _seed(folder), folder) for folder in folders}

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

    def of_run(self, run: Run, name: str) -> Any:
        """Return the content of runs/RUN/`name`.json, None if there is none."""
        return self.json(f"runs/{run.name}/{name}.json")

    def history(self, run: Run) -> list[dict[str, Any]]:
        """Return the epochs of a training so far; a line that a crash cut off is left out."""
        path = run.folder / "history.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [record for record in map(_parsed, lines) if record is not None]

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
        return arrays["probabilities"], arrays["labels"]

    def misses(self, run: Run, centre: bool = False) -> dict[int, np.ndarray] | None:
        """Return whether ten crops (or the centre crop) miss each image's label: {1: …, 5: …}, bool (N,)."""
        if (run.name, centre) not in self._misses:
            self._misses[run.name, centre] = self._missed(run, centre)
        return self._misses[run.name, centre]

    def _missed(self, run: Run, centre: bool) -> dict[int, np.ndarray] | None:
        name = f"runs/{run.name}/predictions.safetensors"
        arrays = self.arrays(name) if (self.root / name).exists() else {}
        if centre:
            return {k: arrays[f"centre_missed{k}"] > 0 for k in (1, 5)} if "centre_missed1" in arrays else None
        return {k: missed(arrays["probabilities"], arrays["labels"], k) for k in (1, 5)} if arrays else None


def _seed(folder: Path) -> int:
    """Read the seed of a training from its spec, else from its name."""
    spec = folder / "spec.json"
    if spec.exists():
        return int(read_json(spec).get("seed", 1))
    suffix = re.search(r"-s(\d+)$", folder.name)
    return int(suffix[1]) if suffix else 1


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None
