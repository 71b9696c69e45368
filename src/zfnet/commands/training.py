"""Trainings and their validation errors (Tables 2 and 3)."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from zfnet.commands.common import Out, Prepared, SettingsFile, Threads, Weights, on_gpu, read


@on_gpu
def train(
    spec: Annotated[Path, typer.Option(help="spec.json of the run")],
    train: Annotated[Path, typer.Option(help="manifest.json of the training set")],
    val: Annotated[Path, typer.Option(help="manifest.json of the validation set")],
    checkpoints: Annotated[Path, typer.Option(help="folder of the run's checkpoint")],
    weights: Annotated[Path, typer.Option(help="where the trained net goes")],
    metrics: Annotated[Path, typer.Option(help="where metrics.json goes")],
    exclude: Annotated[Path | None, typer.Option(help="duplicates.csv, whose training pictures are left out")] = None,
    threads: Threads = 2,
    minutes: Annotated[float, typer.Option(help="time between two checkpoints")] = 10,
    budget: Annotated[float | None, typer.Option(help="minutes after which to save and stop (exit 75)")] = None,
    share: Annotated[int, typer.Option(min=1, help="trainings that may share a GPU")] = 1,
    step: Annotated[
        Literal["auto", "eager", "compiled"],
        typer.Option(help="updates in bf16: auto, eager or compiled (see jobs.compile)"),
    ] = "auto",
    ranks: Annotated[int, typer.Option(min=1, help="processes that share this training, on a GPU each")] = 1,
    events: Annotated[bool, typer.Option(help="write event files for TensorBoard into the run's folder")] = False,
) -> None:
    """Train one net; the same command goes on where a stopped one ended."""
    if ranks > 1 and "RANK" not in os.environ:
        from zfnet.training.torchrun import launch

        launch(ranks, sys.argv[1:])
        return
    from zfnet.training.train_run import train_run

    train_run(spec, train, val, exclude, checkpoints, weights, metrics, threads, minutes, budget, step, events)


@on_gpu
def evaluate(
    weights: Weights,
    val: Annotated[Path, typer.Option(help="manifest.json of the validation set")],
    train: Annotated[Path, typer.Option(help="manifest.json of the training set")],
    settings: SettingsFile,
    out: Out,
    predictions: Annotated[Path, typer.Option(help="where the probabilities go")],
    threads: Threads = 2,
) -> None:
    """Ten-crop errors of a net (Tables 2 and 3)."""
    from zfnet.evaluation.evaluate_run import evaluate_run

    evaluate_run(weights, val, train, read(settings).evaluation, out, predictions, threads)


@on_gpu
def submission(
    weights: Annotated[list[Path], typer.Argument(help="a trained net, or several for their mean")],
    data: Prepared,
    devkit: Annotated[Path, typer.Option(help="ILSVRC2012_devkit_t12.tar.gz, for the numbers of the classes")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Predict ImageNet's test set, for its server (Table 2)."""
    from zfnet.evaluation.predict_test_set import submission_stage

    submission_stage(weights, data, devkit, read(settings).evaluation, out, threads)


COMMANDS = (train, evaluate, submission)
