"""Visualise the nets (ZF sect. 2, 4.1-4.4 and 5.1; Figures 2, 4-8, Table 1)."""

from pathlib import Path
from typing import Annotated

import typer

from zfnet.commands.common import Out, Prepared, SettingsFile, Threads, Weights, by_folder, on_gpu, read


@on_gpu
def top_patches(weights: Weights, data: Prepared, settings: SettingsFile, out: Out, threads: Threads = 2) -> None:
    """Find the top activations of feature maps and project them to pixels (Figures 2 and 6)."""
    from zfnet.visualize.top_patches import features_stage

    features_stage(weights, data, read(settings).visualize, out, threads)


@on_gpu
def controls(
    weights: Weights,
    spec: Annotated[Path, typer.Option(help="spec.json of the training")],
    data: Prepared,
    features: Annotated[Path, typer.Option(help="features.csv: its units are also projected with the forward mask")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Measure an untrained net and nearest neighbours (controls of the claims about Figure 2)."""
    from zfnet.visualize.controls import controls_stage

    controls_stage(weights, spec, data, features, read(settings).visualize, out, threads)


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

    evolution_stage(metrics, data, read(settings).visualize, out, threads)


@on_gpu
def invariance(weights: Weights, data: Prepared, settings: SettingsFile, out: Out, threads: Threads = 2) -> None:
    """Measure feature invariance to shifts, scales and rotations (Figure 5)."""
    from zfnet.visualize.invariance import invariance_stage

    invariance_stage(weights, data, read(settings).visualize, out, threads)


@on_gpu
def occlusion(weights: Weights, data: Prepared, settings: SettingsFile, out: Out, threads: Threads = 2) -> None:
    """Occlude images with a grey square (Figure 7)."""
    from zfnet.visualize.occlusion import occlusion_stage

    occlusion_stage(weights, data, read(settings).visualize, out, threads)


@on_gpu
def correspondence(
    images: Annotated[Path, typer.Argument(help="tar of images of frontal animals")],
    keypoints: Annotated[Path, typer.Argument(help="their key points, COCO JSON or CSV")],
    weights: Weights,
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Compare the changes of features when eyes and noses are masked (Table 1, Figure 8)."""
    from zfnet.visualize.correspondence import correspondence_stage

    correspondence_stage(weights, images, keypoints, read(settings).visualize, out, threads)


@on_gpu
def filters(
    weights: Annotated[list[Path], typer.Argument(help="trained nets: results/PRESET/runs/RUN/weights.safetensors")],
    data: Prepared,
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Measure first-layer filters and second-layer aliasing (Figure 6)."""
    from zfnet.visualize.filters import filters_stage

    filters_stage(by_folder(weights), data, read(settings).visualize, out, threads)


@on_gpu
def compare_methods(
    weights: Weights,
    data: Prepared,
    features: Annotated[Path, typer.Option(help="features.csv: the units and images to compare")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Compare visualisation methods, and variations of the deconvnet, on the same units."""
    from zfnet.visualize.method_comparison import methods_stage

    methods_stage(weights, data, features, read(settings).visualize, out, threads)


COMMANDS = (top_patches, controls, evolution, invariance, occlusion, correspondence, filters, compare_methods)
