"""The choices of a command: images, a layer, its units, and the output folder."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic
from zfnet.core.suggest import require_known
from zfnet.data.image_folder import ImageFolder
from zfnet.data.loader import Shards, require_square_size
from zfnet.nets import Network
from zfnet.visualize.net_inputs import InputLoader
from zfnet.visualize.top_activations import count_maps

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


def find_layer(net: Network, layer: str | None, last: bool = False) -> str:
    """Return the layer of this name; None: the last convolutional layer, or with `last` the last of all.

    Raises
    ------
    ZfnetError
        There is no such layer; the message lists them.
    """
    if layer:
        require_known(layer, list(net.layers), "layer")
        return layer
    names = list(net.layers)
    convolutional = [name for name in names if name.startswith("conv")]
    return names[-1] if last or not convolutional else convolutional[-1]


def find_units(net: Network, layer: str, texts: Sequence[str]) -> list[int]:
    """Parse numbers and ranges of units (maps of a convolutional layer): ["3", "7-9"] -> [3, 7, 8, 9].

    Raises
    ------
    ZfnetError
        A text is neither a number nor a range, or the layer has fewer units.
    """
    units: list[int] = []
    count = count_maps(net, layer)
    for text in texts:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
        if not match:
            raise ZfnetError(f"--unit {text}: expected a number such as 3, or a range such as 3-7.")
        first, end = int(match[1]), int(match[2] or match[1])
        if not first <= end < count:
            raise ZfnetError(f"--unit {text}: {layer} has {count} units, 0 to {count - 1}.")
        units += range(first, end + 1)
    return list(dict.fromkeys(units))


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
