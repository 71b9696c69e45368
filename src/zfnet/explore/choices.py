"""What the commands are asked to look at: pictures, a layer, units of it; and the folder they write to."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic
from zfnet.core.suggest import require_known
from zfnet.data.image_folder import ImageFolder
from zfnet.data.loader import Shards, require_square_size
from zfnet.nets import Network
from zfnet.visualize.net_inputs import Gallery
from zfnet.visualize.top_activations import count_maps

BATCH = 8  # pictures at once: the way back keeps every layer's activations, of VGG-16 about 130 MB a picture


def open_pictures(net: Network, places: Sequence[str | Path], threads: int = 2) -> Gallery:
    """Let `net` look at pictures.

    Parameters
    ----------
    places : files and folders of pictures, or one manifest.json of a prepared data set.

    Raises
    ------
    ZfnetError
        A place is missing or holds no pictures, or a prepared set has squares of another size than the net's.
    """
    torch.set_num_threads(threads)
    if len(places) != 1 or Path(places[0]).suffix != ".json":
        return Gallery(net, ImageFolder(places, net.size), threads, BATCH)
    shards = Shards(places[0])
    require_square_size(shards, net.size, places[0])
    return Gallery(net, shards, threads, BATCH)


def find_layer(net: Network, layer: str | None, last: bool = False) -> str:
    """The layer of this name; None: the last convolutional one, or the `last` of all.

    Raises
    ------
    ZfnetError
        There is no such layer; the sentence lists them.
    """
    if layer:
        require_known(layer, list(net.layers), "layer")
        return layer
    names = list(net.layers)
    convolutional = [name for name in names if name.startswith("conv")]
    return names[-1] if last or not convolutional else convolutional[-1]


def find_units(net: Network, layer: str, texts: Sequence[str]) -> list[int]:
    """Units (maps of a convolutional layer) by number or range: ["3", "7-9"] -> [3, 7, 8, 9].

    Raises
    ------
    ZfnetError
        A text is neither, or the layer has fewer units.
    """
    units, count = [], count_maps(net, layer)
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
    """At most `count` units of a layer at random, in order."""
    return sorted(np.random.default_rng(seed).permutation(count_maps(net, layer))[:count].tolist())


def strongest_units(output: Tensor, count: int) -> list[int]:
    """The `count` units with the largest activation anywhere in a layer's output (1, C) or (1, C, H, W)."""
    largest = output[0].flatten(1).amax(1) if output.ndim == 4 else output[0]
    return largest.argsort(descending=True, stable=True)[:count].tolist()


def writable(out: Path) -> Path:
    """Make the folder `out`, before any work is done for it.

    Raises
    ------
    ZfnetError
        It cannot be made, or nothing can be written there.
    """
    try:
        with atomic(out / ".zfnet-try") as beside:
            beside.touch()
        (out / ".zfnet-try").unlink()
    except OSError as error:
        raise ZfnetError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out.") from None
    return out
