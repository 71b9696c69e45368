"""The choices of a command: images, a layer, its units, and the output folder."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic
from zfnet.core.suggest import did_you_mean, require_known
from zfnet.data.image_folder import ImageFolder
from zfnet.data.loader import Shards, require_square_size
from zfnet.explore.class_names import find_class
from zfnet.nets import Network
from zfnet.visualize.backward import DECONVNET, is_defined
from zfnet.visualize.net_inputs import InputLoader
from zfnet.visualize.top_activations import count_maps

MANY_LAYERS = 40  # more are not listed in a message
BATCH_SIZE = 8  # the backward pass keeps the activations of every layer, about 130 MB per image for VGG-16


def open_images(net: Network, places: Sequence[str | Path], threads: int = 2) -> InputLoader:
    """Open images as inputs of `net`.

    Parameters
    ----------
    places : files and folders of images, or one manifest.json of a prepared data set.

    Raises
    ------
    ZfnetError
        A place is missing or contains no images, or the squares of a prepared data set do not fit the net.
    """
    torch.set_num_threads(threads)
    if len(places) != 1 or Path(places[0]).suffix != ".json":
        folder: Any = ImageFolder(places, net.size)  # with the interface of Shards
        return InputLoader(net, folder, threads, BATCH_SIZE)
    shards = Shards(places[0])
    require_square_size(shards, net.size, places[0])
    return InputLoader(net, shards, threads, BATCH_SIZE)


def find_layer(net: Network, layer: str | Sequence[str] | None, last: bool = False) -> str:
    """Return the layer of this name; None: the last convolutional layer, or with `last` the last of all.

    Raises
    ------
    ZfnetError
        There is no such layer, the message lists them; or several are given.
    """
    if not layer:
        return list(net.layers)[-1] if last else _last_maps(net)
    if not isinstance(layer, str):
        if len(layer) > 1:
            raise ZfnetError(f"--layer is given {len(layer)} times ({', '.join(layer)}); this command takes one layer.")
        layer = layer[0]
    if layer not in net.layers and len(net.layers) > MANY_LAYERS:
        outer = [name for name in net.layers if name.count(".") < 1]
        raise ZfnetError(
            f"There is no layer {layer!r}; there are {', '.join(outer)}, and {len(net.layers) - len(outer)} inside "
            f"them{did_you_mean(layer, list(net.layers))}"
        )
    require_known(layer, list(net.layers), "layer")
    return layer


def _last_maps(net: Network) -> str:
    """Return the last convolutional layer; in a net with branches the last operation with maps of several positions."""
    names = list(net.layers)
    convolutional = [name for name in names if re.fullmatch(r"conv\d+", name)]
    if convolutional and all(operation.sources == (number - 1,) for number, operation in enumerate(net.operations)):
        return convolutional[-1]
    sizes = layer_shapes(net)
    spatial = [name for name in names if len(sizes[name]) == 4 and sizes[name][2] > 1 and sizes[name][3] > 1]
    return min((name for name in spatial if net.layers[name] == net.layers[spatial[-1]]), key=len, default=names[-1])


def find_units(net: Network, layer: str, texts: Sequence[str], classes: Sequence[str] = ()) -> list[int]:
    """Parse units (maps of a convolutional layer): ["3", "7-9,12"] -> [3, 7, 8, 9, 12].

    In the last layer a class may be given by its name, such as "school bus".

    Raises
    ------
    ZfnetError
        A text is neither a number, a range nor the name of a class, or the layer has fewer units.
    """
    units: list[int] = []
    count = count_maps(net, layer)
    for text in texts:
        if re.fullmatch(r"[-\d,\s]+", text):
            units += [unit for part in text.split(",") for unit in _parse_range(part, layer, count)]
        elif net.layers[layer] == len(net.operations) - 1:
            units.append(find_class(text, classes, count))
        else:
            raise ZfnetError(
                f"--unit {text}: expected a number such as 3, or a range such as 3-7; classes have names in the last "
                "layer only."
            )
    return list(dict.fromkeys(units))


def _parse_range(text: str, layer: str, count: int) -> range:
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if not match:
        raise ZfnetError(f"--unit {text}: expected a number such as 3, or a range such as 3-7.")
    first, end = int(match[1]), int(match[2] or match[1])
    if not first <= end < count:
        raise ZfnetError(f"--unit {text}: {layer} has {count} units, 0 to {count - 1}.")
    return range(first, end + 1)


@torch.no_grad()
def layer_shapes(net: Network) -> dict[str, tuple[int, ...]]:
    """Return the shape of every layer's output for one image."""
    first = next(net.parameters(), net.mean)
    trace = net.trace(torch.zeros(1, 3, net.crop, net.crop, dtype=first.dtype, device=first.device))
    return {name: tuple(output.shape) for name, output in trace.activations.items()}


def default_rule(net: Network, layer: str) -> str:
    """Return the deconvnet, or the gradient where a layer depends on operations that are no rectifiers."""
    operations = [net.operations[index] for index in net.ancestors(net.layers[layer])]
    if all(is_defined(operation, DECONVNET) for operation in operations):
        return "deconvnet"
    print(f"zfnet: {layer} depends on more than rectifiers, so the rule is gradient, not deconvnet.", file=sys.stderr)
    return "gradient"


def require_scores(net: Network) -> None:
    """Check that the class scores can be computed.

    Raises
    ------
    ZfnetError
        They depend on weights that are not finite.
    """
    if len(net.operations) - 1 not in net.layers.values():
        raise ZfnetError("The class scores of this net are not finite; use project, strongest or saliency --layer.")


def random_units(net: Network, layer: str, count: int, seed: int) -> list[int]:
    """Draw at most `count` units of a layer at random, in ascending order."""
    return sorted(np.random.default_rng(seed).permutation(count_maps(net, layer))[:count].tolist())


def strongest_units(output: Tensor, count: int) -> list[int]:
    """Return the `count` units with the largest maxima in a layer's output, (1, C) or (1, C, H, W)."""
    largest = output[0].flatten(1).amax(1) if output.ndim == 4 else output[0]
    return largest.argsort(descending=True, stable=True)[:count].tolist()


def require_writable(out: Path) -> None:
    """Create the folder `out` and check that it is writable.

    Raises
    ------
    ZfnetError
        It cannot be created or written to.
    """
    try:
        with atomic(out / ".zfnet-try") as temporary:
            temporary.touch()
        (out / ".zfnet-try").unlink()
    except OSError as error:
        raise ZfnetError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out.") from None
