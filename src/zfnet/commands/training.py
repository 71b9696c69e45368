"""Commands that train nets and measure their errors (Tables 2 and 3)."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from zfnet.commands.common import (
    Budget,
    Out,
    Prepared,
    SettingsFile,
    Threads,
    TimeLimit,
    Weights,
    budget_minutes,
    on_gpu,
    read,
)


@on_gpu
def train(
    spec: Annotated[Path, typer.Option(help="spec.json of the run")],
    train: Annotated[Path, typer.Option(help="manifest.json of the training set")],
    val: Annotated[Path, typer.Option(help="manifest.json of the validation set")],
    checkpoints: Annotated[Path, typer.Option(help="folder of the run's checkpoints")],
    weights: Annotated[Path, typer.Option(help="where to write the trained net")],
    metrics: Annotated[Path, typer.Option(help="where to write metrics.json")],
    exclude: Annotated[Path | None, typer.Option(help="duplicates.csv: leave out the training images it lists")] = None,
    threads: Threads = 2,
    minutes: Annotated[float, typer.Option(help="minutes between two checkpoints")] = 10,
    budget: Budget = None,
    time_limit: TimeLimit = None,
    share: Annotated[int, typer.Option(min=1, help="number of trainings that may share a GPU")] = 1,
    compile: Annotated[
        Literal["auto", "eager", "compiled"],
        typer.Option(help="how bf16 steps are executed (see jobs.compile)"),
    ] = "auto",
    world_size: Annotated[int, typer.Option(min=1, help="processes that share this training, one GPU each")] = 1,
    events: Annotated[bool, typer.Option(help="write TensorBoard event files into the run's folder")] = False,
) -> None:
    """Train one net; run the same command again to resume a stopped training."""
    if world_size > 1 and "RANK" not in os.environ:
        from zfnet.training.torchrun import launch

        launch(world_size, sys.argv[1:])
        return
    from zfnet.training.run_options import RunOptions
    from zfnet.training.train_run import train_run

    budget = budget_minutes(budget, time_limit)
    options = RunOptions(checkpoints, threads, minutes, budget, compile, share, events)
    train_run(spec, train, val, exclude, weights, metrics, options)


@on_gpu
def evaluate(
    weights: Weights,
    val: Annotated[Path, typer.Option(help="manifest.json of the validation set")],
    train: Annotated[Path, typer.Option(help="manifest.json of the training set")],
    settings: SettingsFile,
    out: Out,
    predictions: Annotated[Path, typer.Option(help="where to write the probabilities")],
    threads: Threads = 2,
) -> None:
    """Measure the ten-crop errors of a net (Tables 2 and 3)."""
    from zfnet.evaluation.evaluate_run import evaluate_run

    evaluate_run(weights, val, train, read(settings).evaluation, out, predictions, threads)


@on_gpu
def submission(
    weights: Annotated[list[Path], typer.Argument(help="one trained net, or several to average")],
    data: Prepared,
    devkit: Annotated[Path, typer.Option(help="ILSVRC2012_devkit_t12.tar.gz, for the class numbers")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Predict ImageNet's test set for the evaluation server (Table 2)."""
    from zfnet.evaluation.predict_test_set import submission_stage

    submission_stage(weights, data, devkit, read(settings).evaluation, out, threads)


COMMANDS = (train, evaluate, submission)
