"""The tinkerer's commands: a net and pictures in; sheets, a table and their provenance out.

NET is a file saved by zfnet (.safetensors) or the name of a torchvision model; PICTURES are files, folders, or the
manifest.json of a prepared data set.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zfnet.commands.common import Threads, on_gpu

if TYPE_CHECKING:
    from zfnet.explore.opened_net import Opened

Net = Annotated[
    str, typer.Argument(help="a net saved by zfnet (.safetensors), or a torchvision model: alexnet, vgg16 …")
]
Pictures = Annotated[list[Path], typer.Argument(help="pictures, folders of them, or a manifest.json")]
Out = Annotated[Path, typer.Option("--out", help="the folder to write to")]
Weights = Annotated[Path | None, typer.Option("--weights", help="of a torchvision model: .pth or .safetensors")]
Random = Annotated[bool, typer.Option("--random-weights", help="do without weights, to try things out")]
Crop = Annotated[int, typer.Option("--crop", min=0, help="side of a torchvision model's input; 0: as it was trained")]
Layer = Annotated[str | None, typer.Option("--layer", help="conv5, fc7 …; a wrong name lists them all")]
Layers = Annotated[list[str] | None, typer.Option("--layer", help="conv5, fc7 …; several, each with its own")]
Units = Annotated[list[str] | None, typer.Option("--unit", help="a number, or a range such as 3-7; several as well")]
Top = Annotated[int, typer.Option("--top", min=1, help="how many of the strongest units where none is given")]
Rules = Annotated[list[str] | None, typer.Option("--rule", help="deconvnet, guided, gradient …; several as well")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="of what is drawn at random")]


@on_gpu
def project(
    net: Net,
    pictures: Pictures,
    out: Out,
    weights: Weights = None,
    random_weights: Random = False,
    crop: Crop = 0,
    layer: Layer = None,
    unit: Units = None,
    top: Top = 1,
    rule: Rules = None,
    threads: Threads = 2,
) -> None:
    """Project units back to the pixels of your pictures (deconvnet, guided, gradient)."""
    from zfnet.explore.choices import find_layer, find_units, open_pictures
    from zfnet.explore.projections import project_pictures

    opened = _open(net, weights, random_weights, crop, out)
    layer = find_layer(opened.net, layer)
    units = find_units(opened.net, layer, unit or [])
    gallery = open_pictures(opened.net, pictures, threads)
    project_pictures(opened, gallery, layer, units, rule or ["deconvnet"], top, out)


@on_gpu
def strongest(
    net: Net,
    pictures: Pictures,
    out: Out,
    weights: Weights = None,
    random_weights: Random = False,
    crop: Crop = 0,
    layer: Layers = None,
    unit: Units = None,
    count: Annotated[int, typer.Option("--count", min=1, help="units drawn at random where none is given")] = 16,
    top: Annotated[int, typer.Option("--top", min=1, help="pictures of each unit")] = 9,
    rule: Annotated[str, typer.Option("--rule", help="deconvnet, guided, gradient …")] = "deconvnet",
    seed: Seed = 0,
    threads: Threads = 2,
) -> None:
    """Find the pictures in which units respond most: patches beside projections."""
    from zfnet.explore.choices import find_layer, find_units, open_pictures, random_units
    from zfnet.explore.strongest_patches import show_strongest

    opened = _open(net, weights, random_weights, crop, out)
    layers = [find_layer(opened.net, one) for one in layer or [None]]
    units = {
        one: find_units(opened.net, one, unit) if unit else random_units(opened.net, one, count, seed) for one in layers
    }
    show_strongest(opened, open_pictures(opened.net, pictures, threads), units, rule, top, out)


@on_gpu
def occlude(
    net: Net,
    pictures: Pictures,
    out: Out,
    weights: Weights = None,
    random_weights: Random = False,
    crop: Crop = 0,
    layer: Layer = None,
    unit: Units = None,
    label: Annotated[
        int | None, typer.Option("--class", help="whose probability; none: the picture's likeliest")
    ] = None,
    side: Annotated[int | None, typer.Option("--square", help="side, pixels; none: 50 at a 224 crop")] = None,
    stride: Annotated[int | None, typer.Option("--stride", help="step, pixels; none: 6 at a 224 crop")] = None,
    threads: Threads = 2,
) -> None:
    """Slide a grey square over your pictures and map what a unit and the classes lose."""
    from zfnet.explore.choices import find_layer, find_units, open_pictures
    from zfnet.explore.occlusion_maps import occlude_pictures, scaled_square

    opened = _open(net, weights, random_weights, crop, out)
    layer = find_layer(opened.net, layer)
    units = find_units(opened.net, layer, unit or [])
    gallery = open_pictures(opened.net, pictures, threads)
    occlude_pictures(opened, gallery, layer, units, label, scaled_square(opened.net.crop, side, stride), out)


@on_gpu
def saliency(
    net: Net,
    pictures: Pictures,
    out: Out,
    weights: Weights = None,
    random_weights: Random = False,
    crop: Crop = 0,
    layer: Layer = None,
    unit: Units = None,
    top: Top = 1,
    threads: Threads = 2,
) -> None:
    """Show on which pixels of your pictures a class score, or any unit, hangs."""
    from zfnet.explore.choices import find_layer, find_units, open_pictures
    from zfnet.explore.saliency_maps import saliency_of_pictures

    opened = _open(net, weights, random_weights, crop, out)
    layer = find_layer(opened.net, layer, last=True)
    units = find_units(opened.net, layer, unit or [])
    saliency_of_pictures(opened, open_pictures(opened.net, pictures, threads), layer, units, top, out)


@on_gpu
def maximize(
    net: Net,
    out: Out,
    weights: Weights = None,
    random_weights: Random = False,
    crop: Crop = 0,
    layer: Layer = None,
    unit: Units = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--setting", help="blur, norm, decay, contribution, class-model; several as well"),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="none: as published, 500 to 1000")] = None,
    seed: Seed = 0,
    threads: Threads = 2,
) -> None:
    """Climb to the pictures that units like best."""
    import torch

    from zfnet.explore.activation_maxima import maximize_units
    from zfnet.explore.choices import find_layer, find_units

    torch.set_num_threads(threads)
    opened = _open(net, weights, random_weights, crop, out)
    layer = find_layer(opened.net, layer, last=True)
    units = find_units(opened.net, layer, unit or [])
    maximize_units(opened, layer, units, setting or ["blur"], seed, steps, out)


COMMANDS = (project, strongest, occlude, saliency, maximize)


def _open(net: str, weights: Path | None, random_weights: bool, crop: int, out: Path) -> "Opened":
    """Open the net, once it is sure that there is a place for what it shows."""
    from zfnet.explore.choices import writable
    from zfnet.explore.opened_net import open_net

    writable(out)
    return open_net(net, weights, random_weights, crop)
