"""The command line: one sub-command a stage of the workflow, and the tinkerer's commands (`zfnet.tinker.commands`).

Every command imports only its own stage, since most jobs of a small run cost less than importing everything.
A mistake of the user is printed as its sentence (exit 1); interrupted work exits with 75.
"""

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zfnet.errors import Stopped, ZfnetError
from zfnet.tinker.commands import COMMANDS

if TYPE_CHECKING:
    from zfnet.settings import Settings

app = typer.Typer(
    help="Every table and figure of Zeiler & Fergus (2013), from the official archives.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # known without the name of a file

FeaturesOf = Annotated[Path | None, typer.Option(help="refuse features that are not of this net, or this data set")]
SettingsFile = Annotated[Path, typer.Option("--settings", help="the stage's settings, as the workflow writes them")]
Out = Annotated[Path, typer.Option("--out", help="the file to write; its companions are written beside it")]
Weights = Annotated[Path, typer.Option("--weights", help="a trained net (.safetensors)")]
Prepared = Annotated[Path, typer.Option("--data", help="manifest.json of a prepared data set")]
Threads = Annotated[int, typer.Option("--threads", help="CPU threads")]
Results = Annotated[Path, typer.Option("--results", help="the results folder of a preset, such as results/demo")]


def main() -> None:
    """Run the command line."""
    try:
        app()
    except Stopped as stopped:
        print(f"zfnet: {stopped}", file=sys.stderr)
        sys.exit(Stopped.exit_code)
    except ZfnetError as error:
        print(f"zfnet: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.filename is None and error.errno not in DISK:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"zfnet: {place}{error.strerror}; mend this and run the same command again.", file=sys.stderr)
        sys.exit(1)


def on_gpu(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command hold a GPU, so that jobs side by side do not all take the first; where there is none, the CPU.

    The command's own options `ranks` (GPUs it takes) and `share` (trainings on each of them) are heeded.
    """

    @wraps(command)
    def leased(*args: Any, **options: Any) -> None:
        from zfnet.training.lease import lease

        with lease(options.get("ranks", 1), options.get("share", 1)):
            command(*args, **options)

    return leased


@app.command()
def world(settings: SettingsFile, out: Out) -> None:
    """Draw a miniature of all data sets in the official archive formats."""
    from zfnet.data.world import generate

    generate(_read(settings).world, out)


@app.command()
def shards(
    name: Annotated[str, typer.Argument(help="imagenet-train, imagenet-val, caltech101, caltech256, voc2012 …")],
    archives: Annotated[list[Path], typer.Argument(help="the archives of that data set")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Prepare a data set: official archive to WebDataset shards and manifest.json."""
    from zfnet.data import sets
    from zfnet.data.shards import write_shards

    data = _read(settings).data
    source = sets.source(name, archives, data)
    write_shards(source, data, out, square=sets.SQUARE[name], threads=threads)


@app.command()
def fetch(
    file: Annotated[
        str, typer.Argument(help="caltech-101.zip, 256_ObjectCategories.tar, VOCtrainval_11-May-2012.tar …")
    ],
    out: Annotated[Path, typer.Option("--out", help="the folder to put it in")],
) -> None:
    """Download an archive that needs no account, and check it."""
    from zfnet.data.download import fetch

    fetch(file, out)


@app.command()
def verify(
    config: Annotated[Path, typer.Option(help="the configuration whose archives are checked")] = Path("config.yaml"),
) -> None:
    """Check the archives that config.yaml names, within seconds."""
    from zfnet.config import overlay
    from zfnet.data.verify import check_archives

    problems = check_archives(overlay(config).archives)
    if problems:
        raise ZfnetError("\n".join(problems))
    print("Every archive named in", config, "looks right.")


@app.command()
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
        typer.Option(help="updates in bf16: auto, eager or compiled (see jobs.step)"),
    ] = "auto",
    ranks: Annotated[int, typer.Option(min=1, help="processes that share this training, on a GPU each")] = 1,
    events: Annotated[bool, typer.Option(help="write event files for TensorBoard into the run's folder")] = False,
) -> None:
    """Train one net; the same command goes on where a stopped one ended."""
    if ranks > 1 and "RANK" not in os.environ:
        from zfnet.training.launch import launch

        launch(ranks, sys.argv[1:])
        return
    from zfnet.training.stage import train_run

    train_run(spec, train, val, exclude, checkpoints, weights, metrics, threads, minutes, budget, step, events)


@app.command()
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
    from zfnet.evaluation.stage import evaluate_run

    evaluate_run(weights, val, train, _read(settings).evaluation, out, predictions, threads)


@app.command()
@on_gpu
def features(weights: Weights, data: Prepared, settings: SettingsFile, out: Out, threads: Threads = 2) -> None:
    """Find the strongest activations and project them to pixels (Figures 2 and 6)."""
    from zfnet.visualize.features import features_stage

    features_stage(weights, data, _read(settings).visualize, out, threads)


@app.command()
@on_gpu
def controls(
    weights: Weights,
    spec: Annotated[Path, typer.Option(help="spec.json of the training")],
    data: Prepared,
    features: Annotated[Path, typer.Option(help="features.csv, whose units are projected with the forward mask too")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Look through the untrained net, and at nearest pictures (controls of the claims about Figure 2)."""
    from zfnet.visualize.controls import controls_stage

    controls_stage(weights, spec, data, features, _read(settings).visualize, out, threads)


@app.command()
@on_gpu
def evolution(
    metrics: Annotated[Path, typer.Option(help="metrics.json of a run that kept snapshots")],
    data: Prepared,
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Follow feature maps through a training (Figure 4)."""
    from zfnet.visualize.evolution import evolution_stage

    evolution_stage(metrics, data, _read(settings).visualize, out, threads)


@app.command()
@on_gpu
def invariance(weights: Weights, data: Prepared, settings: SettingsFile, out: Out, threads: Threads = 2) -> None:
    """Move, scale and turn pictures (Figure 5)."""
    from zfnet.visualize.invariance import invariance_stage

    invariance_stage(weights, data, _read(settings).visualize, out, threads)


@app.command()
@on_gpu
def occlusion(weights: Weights, data: Prepared, settings: SettingsFile, out: Out, threads: Threads = 2) -> None:
    """Cover pictures with a grey square (Figure 7)."""
    from zfnet.visualize.occlusion import occlusion_stage

    occlusion_stage(weights, data, _read(settings).visualize, out, threads)


@app.command()
@on_gpu
def correspondence(
    pictures: Annotated[Path, typer.Argument(help="tar of frontal animals")],
    keypoints: Annotated[Path, typer.Argument(help="their key points, COCO JSON or CSV")],
    weights: Weights,
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Mask eyes and noses and compare the changes of features (Table 1, Figure 8)."""
    from zfnet.visualize.correspondence import correspondence_stage

    correspondence_stage(weights, pictures, keypoints, _read(settings).visualize, out, threads)


@app.command()
@on_gpu
def filters(
    weights: Annotated[list[Path], typer.Argument(help="trained nets, as results/PRESET/runs/RUN/weights.safetensors")],
    data: Prepared,
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Measure first-layer filters and second-layer aliasing (Figure 6)."""
    from zfnet.visualize.filters import filters_stage

    filters_stage({path.parent.name: path for path in weights}, data, _read(settings).visualize, out, threads)


@app.command("compare-methods")
@on_gpu
def compare_methods(
    weights: Weights,
    data: Prepared,
    features: Annotated[Path, typer.Option(help="features.csv, whose units and pictures are taken")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Look at the same units by every method, and by what is often done otherwise."""
    from zfnet.visualize.methods import methods_stage

    methods_stage(weights, data, features, _read(settings).visualize, out, threads)


@app.command()
@on_gpu
def duplicates(
    others: Annotated[list[Path], typer.Argument(help="manifests of the sets to look for, data/SET/manifest.json")],
    train: Annotated[Path, typer.Option(help="manifest.json of the training set")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Search a training set for near-duplicates of other sets' pictures (section 5.2)."""
    from zfnet.transfer.duplicates import duplicates_stage

    duplicates_stage(train, {path.parent.name: path for path in others}, _read(settings).transfer, out, threads)


@app.command("transfer-features")
@on_gpu
def transfer_features(weights: Weights, data: Prepared, settings: SettingsFile, out: Out, threads: Threads = 2) -> None:
    """Read the features of a data set from every layer of a frozen net."""
    from zfnet.transfer.features import features_stage

    features_stage(weights, data, _read(settings).transfer, out.parent, threads)


@app.command()
@on_gpu
def heads(
    features: Annotated[Path, typer.Option(help="index.json of extracted features")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
    weights: FeaturesOf = None,
    data: FeaturesOf = None,
) -> None:
    """Train softmax and linear SVM heads on Caltech features (Tables 4, 5 and 7, Figure 9)."""
    from zfnet.transfer.stage import heads_stage

    heads_stage(features.parent, _read(settings).transfer, out, threads, weights, data)


@app.command()
@on_gpu
def scratch(
    data: Prepared,
    settings: SettingsFile,
    checkpoints: Annotated[Path, typer.Option(help="folder of the trainings' checkpoints")],
    out: Out,
    threads: Threads = 2,
    budget: Annotated[float | None, typer.Option(help="minutes after which to save and stop (exit 75)")] = None,
) -> None:
    """Train whole nets on a small data set alone (Tables 4 and 5)."""
    from zfnet.transfer.scratch import scratch_stage

    scratch_stage(data, _read(settings), checkpoints, out, threads, budget)


@app.command()
@on_gpu
def voc(
    features: Annotated[Path, typer.Option(help="index.json of extracted features")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
    weights: FeaturesOf = None,
    data: FeaturesOf = None,
) -> None:
    """Classify PASCAL VOC 2012 (Table 6) and write files for its server."""
    from zfnet.transfer.voc import voc_stage

    voc_stage(features.parent, _read(settings).transfer, out, threads, weights, data)


@app.command()
def table(number: Annotated[int, typer.Argument(min=1, max=7)], results: Results, out: Out) -> None:
    """Write one table: our values beside the printed ones (csv, md, tex)."""
    from zfnet.paper.tables import table_stage

    table_stage(number, results, out)


@app.command()
def figure(
    name: Annotated[str, typer.Argument(help="figure2 … figure9, methods or near_duplicates")],
    results: Results,
    out: Out,
) -> None:
    """Draw one figure in the paper's layout (png, pdf)."""
    from zfnet.paper.figures import figure_stage

    figure_stage(name, results, out)


@app.command()
def claims(results: Results, settings: SettingsFile, out: Out) -> None:
    """Decide the papers' claims from this run's results."""
    from zfnet.paper.claims import claims_stage

    claims_stage(results, _read(settings).paper, out)


@app.command()
def report(
    results: Results,
    settings: SettingsFile,
    out: Out,
    light: Annotated[bool, typer.Option("--light", help="smaller pictures, no PDF files: to send or publish")] = False,
) -> None:
    """Write report.html: every table, figure and claim on one page."""
    from zfnet.paper.report import report_stage

    report_stage(results, _read(settings), out, light)


@app.command()
def bench(
    groups: Annotated[list[str] | None, typer.Argument(help="loader, sharding, norm, step …; none: all")] = None,
    out: Annotated[Path, typer.Option(help="folder of the tables")] = Path("results/bench"),
    quick: Annotated[bool, typer.Option(help="tiny sizes: shows that the benchmarks work, measures nothing")] = False,
) -> None:
    """Measure our parts beside what one would use otherwise, on this machine."""
    from tempfile import TemporaryDirectory

    from zfnet.bench.harness import Bench, chosen, run
    from zfnet.data.world.archives import cores

    asked = chosen(groups or [])
    with TemporaryDirectory(prefix="zfnet-bench-") as work:
        run(asked, Bench(Path(work), cores(), quick), out)


@app.command("settings")
def settings_table() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    from zfnet.config import explain

    print(explain(), end="")


for command in COMMANDS:
    app.command(rich_help_panel="With your own network and pictures")(on_gpu(command))


def _read(path: Path) -> "Settings":
    from zfnet.config import load_stage

    return load_stage(path)
