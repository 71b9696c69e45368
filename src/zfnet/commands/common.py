"""Options that several commands share, and the GPU lock of the heavy ones."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zfnet.core.errors import ZfnetError
from zfnet.core.workflow_presence import in_cluster_job

if TYPE_CHECKING:
    from zfnet.settings import Settings

FeaturesOf = Annotated[Path | None, typer.Option(help="refuse features of another net or data set")]
SettingsFile = Annotated[
    Path, typer.Option("--settings", help="settings file of the stage, as written by the workflow")
]
Out = Annotated[Path, typer.Option("--out", help="file to write; related files go beside it")]
Weights = Annotated[Path, typer.Option("--weights", help="a trained net (.safetensors)")]
Prepared = Annotated[Path, typer.Option("--data", help="manifest.json of a prepared data set")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads")]
Results = Annotated[Path, typer.Option("--results", help="the results folder of a preset, such as results/demo")]
Budget = Annotated[float | None, typer.Option(help="minutes after which to save and stop (exit 75)")]
TimeLimit = Annotated[
    int | None,
    typer.Option(help="minutes that a scheduler gives this job: save and stop 3 minutes before; without one, no limit"),
]
MARGIN_MINUTES = 3  # to finish a step, save and leave


def budget_minutes(budget: float | None, time_limit: int | None) -> float | None:
    """Return the minutes after which to save and stop; a time limit counts only in a job of a scheduler."""
    if time_limit is None or not in_cluster_job():
        return budget
    slice_minutes = max(0, time_limit - MARGIN_MINUTES)
    return slice_minutes if budget is None else min(budget, slice_minutes)


def on_gpu(command: Callable[..., None]) -> Callable[..., None]:
    """Lock a GPU while a command runs, so that parallel jobs do not all use the first one.

    The options `world_size` (number of GPUs) and `share` (trainings per GPU) apply. Without a GPU it runs on the CPU.
    """

    @wraps(command)
    def locked(*args: Any, **options: Any) -> None:
        from zfnet.core.gpu_lock import gpu_lock

        with gpu_lock(options.get("world_size", 1), options.get("share", 1)):
            command(*args, **options)

    return locked


def by_folder(paths: list[Path]) -> dict[str, Path]:
    """Name each file after its folder, as in the results: runs/zf-s1/weights.safetensors is zf-s1.

    Raises
    ------
    ZfnetError
        Two files have the same name.
    """
    named: dict[str, Path] = {}
    for path in paths:
        name = path.absolute().parent.name
        if name in named:
            raise ZfnetError(
                f"{named[name]} and {path}: both would be named {name}, after their folders; pass each file once, or "
                "rename a folder."
            )
        named[name] = path
    return named


def read(path: Path) -> "Settings":
    """Read the settings file of a stage."""
    from zfnet.config import load_stage

    return load_stage(path)
