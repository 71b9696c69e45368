"""Open a net: a file saved by zfnet, or a torchvision model with a weights file. Nothing is downloaded.

Torchvision models were trained on images divided by 255, minus a mean colour, divided by a standard deviation. All of
that moves into the net (`zfnet.nets.adapt`): the mean image becomes 255 times that colour, and the net divides. Inputs,
projections and gradients are then in grey levels, as with our nets. Images are resized bilinearly and cropped to the
centre as in torchvision, up to a rounding difference of one pixel.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

from zfnet.core.colours import rgb_image
from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.explore.class_names import classes_of, read_classes
from zfnet.explore.preprocessing import GivenPixels, Preprocessing
from zfnet.explore.torchvision_models import open_model
from zfnet.nets import Network, adapt, load, load_metadata


class OpenedNet(NamedTuple):
    """A net with its class names and provenance."""

    net: Network
    classes: list[str]  # names of its outputs; empty if they are unknown
    description: dict[str, Any]  # its source and preprocessing, for the provenance
    files: dict[str, Path]  # the files that it was read from


def open_net(
    net: str | Path,
    weights: str | Path | None = None,
    random_weights: bool = False,
    crop: int = 0,
    pixels: GivenPixels = GivenPixels(),  # noqa: B008 - immutable
    classes: Path | None = None,
) -> OpenedNet:
    """Open a net by file or by name.

    Parameters
    ----------
    net : a file written by `zfnet.nets.save`, or the name of a torchvision model, such as "resnet50".
    weights : parameters of the torchvision model: .safetensors, .pth, of which only tensors and plain values are
        unpickled, or the name of torchvision's own, such as IMAGENET1K_V1, from torch's local cache.
    random_weights : use random weights, to try things out.
    crop : side of the torchvision model's input, pixels; 0: as in training.
    pixels : the preprocessing of the torchvision model, where it differs from that of torchvision's weights.
    classes : a file with the names of the classes, one per line.

    Returns
    -------
    OpenedNet
        The net is on the device, in eval mode, and its parameters need no gradient. Layers that depend on weights that
        are not finite are left out.

    Raises
    ------
    ZfnetError
        There is no such net, its weights are missing, damaged or of another net, none of its layers has finite
        weights, or it cannot be adapted (the message says why).
    """
    if _is_file(net):
        opened = _ours(Path(net), weights, pixels)
    else:
        opened = _torchvision(str(net), weights, random_weights, crop, pixels)
    if classes is not None:
        opened = opened._replace(classes=read_classes(classes, opened.net.classes))
    _leave_out_broken(opened.net, weights or net)
    opened.net.to(device()).eval().requires_grad_(False)
    return opened


def _is_file(net: str | Path) -> bool:
    return Path(net).suffix == ".safetensors" or Path(net).is_file()


def _ours(path: Path, weights: str | Path | None, pixels: GivenPixels) -> OpenedNet:
    if path.suffix != ".safetensors":
        raise ZfnetError(
            f"{path}: not a net saved by zfnet (.safetensors); if these are the weights of a torchvision model, "
            f"give its name and --weights {path}."
        )
    if weights:
        raise ZfnetError(f"{path} holds its own weights; omit --weights, or give the name of a torchvision model.")
    if pixels != GivenPixels():
        raise ZfnetError(f"{path} holds its own preprocessing; omit --mean, --std, --bgr and --range.")
    net = load(path)
    description = {"net": str(path), "crop": net.crop, "size": net.size}
    return OpenedNet(net, classes_of(path, load_metadata(path).get("classes"), net.classes), description, {"net": path})


def _torchvision(
    name: str, weights: str | Path | None, random_weights: bool, crop: int, given: GivenPixels
) -> OpenedNet:
    model = open_model(name, weights, random_weights)
    prepared = Preprocessing.of_torchvision(model.published.transforms(), crop).changed(given)
    mean = rgb_image(prepared.mean, prepared.size, "mean")
    net = adapt(model.module, prepared.crop, mean, prepared.std, prepared.bgr)
    description = {"net": f"torchvision {name}", **prepared._asdict(), "random_weights": model.path is None}
    if model.left_out:
        description["weights_left_out"] = model.left_out
        print(f"zfnet: {model.path}: {len(model.left_out)} names of other parts are left out.", file=sys.stderr)
    names = model.published.meta["categories"]
    classes = list(names) if len(names) == net.classes else []
    return OpenedNet(net, classes, description, {"weights": model.path} if model.path else {})


def _leave_out_broken(net: Network, source: str | Path) -> None:
    """Keep only the layers that depend on finite weights, such as the convolutions of a file without a classifier."""
    broken = {
        index
        for index, operation in enumerate(net.operations)
        if not all(parameter.isfinite().all() for parameter in operation.module.parameters())
    }
    if not broken:
        return
    usable = {name: index for name, index in net.layers.items() if not broken & net.ancestors(index)}
    first = net.operations[min(broken)].name
    if not usable:
        raise ZfnetError(
            f"{source}: the weights are not finite from {first} on, so the training diverged; use other weights."
        )
    net.layers = usable
    print(
        f"zfnet: {source}: the weights are not finite from {first} on; only layers up to {list(usable)[-1]} can be "
        "used, and no class scores.",
        file=sys.stderr,
    )
