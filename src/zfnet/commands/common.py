"""Options that commands share, their settings, and the GPU that heavy ones hold."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zfnet.core.errors import ZfnetError

if TYPE_CHECKING:
    from zfnet.settings import Settings

FeaturesOf = Annotated[Path | None, typer.Option(help="refuse features that are not of this net, or this data set")]
SettingsFile = Annotated[Path, typer.Option("--settings", help="the stage's settings, as the workflow writes them")]
Out = Annotated[Path, typer.Option("--out", help="the file to write; its companions are written beside it")]
Weights = Annotated[Path, typer.Option("--weights", help="a trained net (.safetensors)")]
Prepared = Annotated[Path, typer.Option("--data", help="manifest.json of a prepared data set")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads")]
Results = Annotated[Path, typer.Option("--results", help="the results folder of a preset, such as results/demo")]


def on_gpu(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command hold a GPU, so that jobs side by side do not all take the first; where there is none, the CPU.

    The command's own options `ranks` (GPUs it takes) and `share` (trainings on each of them) are heeded.
    """

    @wraps(command)
    def leased(*args: Any, **options: Any) -> None:
        from zfnet.core.gpu_lock import lease

        with lease(options.get("ranks", 1), options.get("share", 1)):
            command(*args, **options)

    return leased


def by_folder(paths: list[Path]) -> dict[str, Path]:
    """Name files by the folders they lie in, as results are named: runs/zf-s1/weights.safetensors is zf-s1.

    Raises
    ------
    ZfnetError
        Two have the same name, so that one would be lost.
    """
    named: dict[str, Path] = {}
    for path in paths:
        name = path.absolute().parent.name
        if name in named:
            raise ZfnetError(
                f"{named[name]} and {path}: both would be called {name}, after their folders; give each file once, or "
                "rename a folder."
            )
        named[name] = path
    return named


def read(path: Path) -> "Settings":
    """Read the settings of a stage."""
    from zfnet.config import load_stage

    return load_stage(path)
