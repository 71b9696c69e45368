"""The commands for your own net and images; each writes sheets, a table and their provenance.

NET is a file saved by zfnet (.safetensors) or the name of a torchvision model; IMAGES are files, folders, or the
manifest.json of a prepared data set. Images of one's own are turned upright, transparent ones laid on white.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zfnet.commands.common import Threads, on_gpu

if TYPE_CHECKING:
    from zfnet.explore.opened_net import OpenedNet

Images = Annotated[list[Path], typer.Argument(help="images, folders of images, or a manifest.json")]
Layer = Annotated[list[str] | None, typer.Option("--layer", help="conv5, layer3.1.conv2 …; a wrong name lists them")]
Layers = Annotated[list[str] | None, typer.Option("--layer", help="conv5, layer3.1.conv2 …; repeatable")]
Units = Annotated[
    list[str] | None, typer.Option("--unit", help='numbers and ranges, 3 or 3,7-9; in the last layer "school bus"')
]
Top = Annotated[int, typer.Option("--top", min=1, help="without --unit: number of units with the largest activation")]
Rules = Annotated[list[str] | None, typer.Option("--rule", help="deconvnet, guided, gradient …; repeatable")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="seed of the random choices")]


@dataclass(frozen=True)
class OwnNet:
    """The options that every command here shares: the net, and the folder to write to."""

    net: Annotated[
        str, typer.Argument(help="a net saved by zfnet (.safetensors), or a torchvision model: alexnet, vgg16 …")
    ]
    out: Annotated[Path, typer.Option("--out", help="the folder to write to")]
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="weights of a torchvision model: .pth, .safetensors, or IMAGENET1K_V1 (cached)"),
    ] = None
    random_weights: Annotated[bool, typer.Option("--random-weights", help="use random weights, to try things out")] = (
        False
    )
    crop: Annotated[
        int, typer.Option("--crop", min=0, help="side of a torchvision model's input; 0: as in training")
    ] = 0

    mean: Annotated[
        str | None, typer.Option("--mean", help="R,G,B that were subtracted in training; default: torchvision's")
    ] = None
    std: Annotated[str | None, typer.Option("--std", help="R,G,B by which images were divided in training")] = None
    bgr: Annotated[bool, typer.Option("--bgr", help="the net takes blue, green, red, as Caffe's do")] = False
    white: Annotated[
        int | None, typer.Option("--range", help="1 or 255: white, in the units of --mean and --std; default: guessed")
    ] = None
    classes: Annotated[
        Path | None, typer.Option("--classes", help="text file with the names of the classes, one per line")
    ] = None

    def open(self) -> "OpenedNet":
        """Open the net, after checking that the output folder is writable."""
        from zfnet.explore.choices import require_writable
        from zfnet.explore.opened_net import open_net
        from zfnet.explore.preprocessing import GivenPixels

        require_writable(self.out)
        pixels = GivenPixels(self.mean, self.std, self.bgr, self.white)
        return open_net(self.net, self.weights, self.random_weights, self.crop, pixels, self.classes)


def for_own_net(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's first parameter, an `OwnNet`, by its fields, for typer to read from the signature."""
    shared = inspect.signature(OwnNet).parameters
    _, *rest = inspect.signature(command).parameters.values()

    @wraps(command)
    def expanded(**options: Any) -> None:
        command(OwnNet(**{name: options.pop(name) for name in shared if name in options}), **options)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*shared.values(), *rest)]
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return on_gpu(expanded)


@for_own_net
def project(
    own: OwnNet,
    images: Images,
    layer: Layer = None,
    unit: Units = None,
    top: Top = 1,
    rule: Rules = None,
    threads: Threads = 2,
) -> None:
    """Project units back to the pixels of your images (deconvnet, guided, gradient)."""
    from zfnet.explore.choices import default_rule, find_layer, find_units, open_images
    from zfnet.explore.projections import project_images

    opened = own.open()
    name = find_layer(opened.net, layer)
    units = find_units(opened.net, name, unit or [], opened.classes)
    loader = open_images(opened.net, images, threads)
    project_images(opened, loader, name, units, rule or [default_rule(opened.net, name)], top, own.out)


@for_own_net
def strongest(
    own: OwnNet,
    images: Images,
    layer: Layers = None,
    unit: Units = None,
    count: Annotated[int, typer.Option("--count", min=1, help="without --unit: number of random units")] = 16,
    top: Annotated[int, typer.Option("--top", min=1, help="images per unit")] = 9,
    rule: Annotated[str | None, typer.Option("--rule", help="deconvnet, guided, gradient …")] = None,
    seed: Seed = 0,
    threads: Threads = 2,
) -> None:
    """Find the images in which units respond most, and show patches beside projections."""
    from zfnet.explore.choices import default_rule, find_layer, find_units, open_images, random_units
    from zfnet.explore.strongest_patches import show_strongest

    opened = own.open()
    net, names = opened.net, layer or [""]
    units = {
        name: find_units(net, name, unit, opened.classes) if unit else random_units(net, name, count, seed)
        for name in (find_layer(net, name) for name in names)
    }
    rule = rule or default_rule(net, max(units, key=net.layers.__getitem__))
    show_strongest(opened, open_images(net, images, threads), units, rule, top, own.out)


@for_own_net
def occlude(
    own: OwnNet,
    images: Images,
    layer: Layer = None,
    unit: Units = None,
    label: Annotated[
        str | None,
        typer.Option("--class", help="number or name of the class whose probability is mapped; default: the best"),
    ] = None,
    side: Annotated[int | None, typer.Option("--square", help="side, pixels; default: 50 at a 224 crop")] = None,
    stride: Annotated[int | None, typer.Option("--stride", help="pixels; default: 6 at a 224 crop")] = None,
    threads: Threads = 2,
) -> None:
    """Slide a grey square over your images and map the response of a unit and of the classes."""
    from zfnet.explore.choices import find_layer, find_units, open_images
    from zfnet.explore.class_names import find_class
    from zfnet.explore.occlusion_maps import occlude_images, scaled_square

    opened = own.open()
    name = find_layer(opened.net, layer)
    units = find_units(opened.net, name, unit or [], opened.classes)
    loader = open_images(opened.net, images, threads)
    followed = None if label is None else find_class(str(label), opened.classes, opened.net.classes)
    occlude_images(opened, loader, name, units, followed, scaled_square(opened.net.crop, side, stride), own.out)


@for_own_net
def saliency(
    own: OwnNet,
    images: Images,
    layer: Layer = None,
    unit: Units = None,
    top: Top = 1,
    threads: Threads = 2,
) -> None:
    """Map how strongly a class score, or any unit, depends on each pixel of your images."""
    from zfnet.explore.choices import find_layer, find_units, open_images
    from zfnet.explore.saliency_maps import saliency_of_images

    opened = own.open()
    name = find_layer(opened.net, layer, last=True)
    units = find_units(opened.net, name, unit or [], opened.classes)
    saliency_of_images(opened, open_images(opened.net, images, threads), name, units, top, own.out)


@for_own_net
def maximize(
    own: OwnNet,
    layer: Layer = None,
    unit: Units = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--setting", help="blur, norm, decay, contribution, class-model; repeatable"),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="default: as published, 500 to 1000")] = None,
    seed: Seed = 0,
    threads: Threads = 2,
) -> None:
    """Generate images that maximise the activation of units."""
    import torch

    from zfnet.explore.activation_maxima import maximize_units
    from zfnet.explore.choices import find_layer, find_units

    torch.set_num_threads(threads)
    opened = own.open()
    name = find_layer(opened.net, layer, last=True)
    units = find_units(opened.net, name, unit or [], opened.classes)
    maximize_units(opened, name, units, setting or ["blur"], seed, steps, own.out)


COMMANDS = (project, strongest, occlude, saliency, maximize)
