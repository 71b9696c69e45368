"""The workflow's training job: opens the input files and calls trainer.py."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.data.loader import Shards
from zfnet.training.experiments import RunSpec
from zfnet.training.run_options import RunOptions
from zfnet.training.spec_format import upgrade_spec
from zfnet.training.trainer import train


def train_run(
    spec_path: Path,
    train_manifest: Path,
    val_manifest: Path,
    exclude_csv: Path | None,
    weights: Path,
    metrics: Path,
    options: RunOptions,
) -> dict[str, Any]:
    """Train the run that spec.json describes and write weights.safetensors and metrics.json; see `trainer.train`.

    Parameters
    ----------
    exclude_csv : duplicates.csv, whose column `train_key` names training images to leave out; None keeps all.
    weights, metrics : weights.safetensors and metrics.json in the folder of the run.
    """
    folder = _run_folder(Path(weights), Path(metrics))
    spec = read_spec(spec_path)
    shards, val = Shards(train_manifest), Shards(val_manifest)
    return train(spec, shards, kept_indices(shards, exclude_csv), val, np.arange(len(val)), folder, options)


def read_spec(path: Path) -> RunSpec:
    """Read spec.json, of this or an older format.

    Raises
    ------
    ZfnetError
        The file is missing or is not a run's spec.
    """
    try:
        content = read_json(path)
        return RunSpec.model_validate(upgrade_spec(content) if isinstance(content, dict) else content)
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ZfnetError(f"{path}: not a run's spec ({problem}); run snakemake to write it again.") from None


def kept_indices(train: Shards, exclude_csv: Path | None) -> np.ndarray:
    """Return int64 (N,) indices of all training images except the near-duplicates that a table names.

    Raises
    ------
    ZfnetError
        The table has no column `train_key`, or names an image that is not in the training set.
    """
    if exclude_csv is None:
        return np.arange(len(train))
    excluded = _train_keys(exclude_csv)
    if missing := excluded.difference(train.keys):
        raise ZfnetError(
            f"{exclude_csv}: lists {min(missing)} and {len(missing) - 1} other images that are not in the training set "
            f"{train.manifest.name}; it was made for other data: delete it and run snakemake again."
        )
    return np.flatnonzero([key not in excluded for key in train.keys])


def _train_keys(path: Path) -> set[str]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        if "train_key" not in (table.fieldnames or ()):
            raise ZfnetError(f"{path}: no column train_key; expected the table of near-duplicates.")
        return {row["train_key"] for row in table}


def _run_folder(weights: Path, metrics: Path) -> Path:
    if (weights.name, metrics.name, weights.parent) != ("weights.safetensors", "metrics.json", metrics.parent):
        raise ZfnetError(f"{weights}, {metrics}: expected weights.safetensors and metrics.json in one folder.")
    return weights.parent
