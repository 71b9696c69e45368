"""A small run through the stages of the workflow, and what of its results must not depend on how it was made."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
EVALUATION = "results/demo/runs/zf-s1/evaluation.json"
MAIN_STAGES = ("table5", "figure2", EVALUATION)  # shards, a training, evaluation, features, heads, a table, a figure
FEW_STAGES = ("figure5",)  # world, shards, a training, a measurement, a drawing
RECIPE = {"batch_size": 8, "epochs": 2, "if_stuck": "warn"}
CONFIG: dict[str, Any] = {
    "preset": "demo",
    "synthetic": {
        "imagenet_classes": 4, "train_images": 12, "val_images": 6, "test_images": 4, "caltech101_classes": 2,
        "caltech101_images": 8, "caltech256_classes": 2, "caltech256_images": 8, "voc_images": 60, "voc_test_images": 4,
        "cifar_images": 10, "parts_images": 6, "planted_duplicates": 1, "image_size": 80,
    },
    "data": {"image_size": 72, "images_per_shard": 20},
    "nets": {"width": 0.0625, "crop": 64},
    "training": {"seeds": 1, "zf": RECIPE, "krizhevsky": RECIPE},
    "visualize": {
        "maps_per_layer": [2, 2, 2, 2, 2], "evolution_images": 12, "evolution_maps": 2, "control_maps": 2, "top_k": 3,
        "occlusion_images": 1, "occlusion_measured_images": 2, "occluder_stride": 40, "occlusion_measured_stride": 60,
        "invariance_images": 2, "correspondence_images": 3, "filter_maps": 2,
    },
    "transfer": {
        "folds": 2, "caltech101_train_sizes": [2], "caltech256_train_sizes": [2], "caltech256_curve_sizes": [2],
        "scratch_folds": 2, "scratch_updates": 4, "layers": ["conv1", "fc7"],
        "scratch": {"batch_size": 4, "if_stuck": "warn"}, "pretrained_run": "zf-s1",
    },
}  # fmt: skip
UNSTABLE = {  # keys of JSON that tell how a result was made, not what it is
    *("provenance", "seconds", "images_per_second", "wait_fraction", "cpu_seconds", "peak_memory_mb", "resumptions"),
    *("time", "time_seconds"),
}


def start(folder: Path, targets: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the workflow in a folder, always by the same command, in a process group of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config.yaml").exists():
        (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--", *targets], cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip


def kill(process: subprocess.Popen[bytes], everything: bool) -> None:
    """Send SIGKILL to snakemake alone, or to it and all its jobs."""
    if everything:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def essence(folder: Path) -> dict[str, str]:
    """Return a digest of every result, by path; without times, provenance and other traces of how it was made."""
    results = folder / "results"
    paths = sorted(path for path in results.rglob("*") if path.is_file())
    return {str(path.relative_to(results)): hashlib.sha256(_stable(path)).hexdigest() for path in paths}


def hidden(folder: Path) -> list[str]:
    """Return what half-written files a run has left."""
    return [str(path.relative_to(folder)) for path in (folder / "results").rglob(".*")]


def _stable(path: Path) -> bytes:
    if path.suffix == ".json":
        return json.dumps(_without_traces(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True).encode()
    if path.suffix == ".jsonl":
        rows = [_without_traces(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        return json.dumps(rows, sort_keys=True).encode()
    return path.read_bytes()


def _without_traces(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_traces(item) for key, item in value.items() if key not in UNSTABLE}
    return [_without_traces(item) for item in value] if isinstance(value, list) else value
