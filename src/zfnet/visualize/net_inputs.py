"""Pictures as a net sees them: the centre crop of every square, as pixels and as mean-subtracted input.

All figures show centre crops, the view of an evaluation without augmentation. Pixels stay uint8 and on the CPU, so that
what is cut, covered or drawn is the picture itself; the mean is subtracted last.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.data.loader import Shards, require_square_size
from zfnet.evaluation.evaluate_run import same_classes
from zfnet.evaluation.predict import full_precision
from zfnet.nets import Network, load

GREY = 124  # of the occluder in the paper's bitmaps: 123 to 125 of 255 in all three channels (D20)


class View(NamedTuple):
    """Some centre crops."""

    pixels: Tensor  # uint8 (B, crop, crop, 3), RGB, on the CPU
    inputs: Tensor  # float32 (B, 3, crop, crop), mean-subtracted, on the net's device
    labels: Tensor  # int64 (B,), on the CPU
    indices: Tensor  # int64 (B,), places in the data set, on the CPU


@dataclass(frozen=True)
class Gallery:
    """A net and the pictures it looks at."""

    net: Network
    shards: Shards
    threads: int = 2
    batch: int = 64

    def __len__(self) -> int:
        return len(self.shards)

    def views(self, indices: Iterable[int] | None = None) -> Iterator[View]:
        """Go through the pictures `indices` (None: all) in this order, `batch` at a time."""
        chosen = np.arange(len(self)) if indices is None else np.fromiter(indices, np.int64)
        for batch in self.shards.batches(chosen, self.batch, self.threads):
            pixels = centre(batch.images, self.net.crop)
            yield View(pixels, to_inputs(self.net, pixels), batch.labels, batch.indices)

    def squares(self, indices: Sequence[int]) -> Tensor:
        """The whole squares of some pictures: uint8 (B, S, S, 3)."""
        return self.shards.squares(np.asarray(indices, np.int64), self.threads)

    def name(self, label: int) -> str:
        """What people call a class: the first of its names."""
        return class_name(self.shards, label)


def open_gallery(weights: Path, manifest: Path, threads: int, labels: bool = True) -> Gallery:
    """Load a net and a data set that fit each other.

    Parameters
    ----------
    labels : whether the pictures' classes must be those the net tells apart; without it any pictures will do.

    Raises
    ------
    ZfnetError
        A file is missing or damaged, the squares have another size than the net's mean image, or the labels are of
        other classes or unknown.
    """
    torch.set_num_threads(threads)
    net, shards = open_net(weights), Shards(manifest)
    require_square_size(shards, net.size, manifest)
    if labels:
        same_classes(net, weights, shards)
        _require_labels(shards)
    return Gallery(net, shards, threads)


def _require_labels(shards: Shards) -> None:
    if (shards.labels < 0).any():
        raise ZfnetError(f"{shards.path}: there are pictures without a label; give a data set whose labels are known.")


def open_net(weights: Path) -> Network:
    """Load a net onto the device, to be looked at only, in full precision.

    Raises
    ------
    ZfnetError
        The file is missing or damaged, or its training diverged.
    """
    full_precision()
    net = load(weights).to(device()).eval()
    if not all(parameter.isfinite().all() for parameter in net.parameters()):
        raise ZfnetError(f"{weights}: weights are not finite, the training diverged; train again at a lower rate.")
    return net.requires_grad_(False)


def some(count: int, limit: int | None, seed: int) -> list[int]:
    """`limit` of `count` pictures at random, in order; None: all."""
    if limit is None or limit >= count:
        return list(range(count))
    return np.sort(np.random.default_rng(seed).permutation(count)[:limit]).tolist()


def class_name(shards: Shards, label: int) -> str:
    """The first of the human names of class `label`."""
    wnid = shards.classes[label]
    return shards.manifest.words.get(wnid, wnid).split(",")[0]


def centre(squares: Tensor, crop: int) -> Tensor:
    """Cut the centre out: (…, S, S, C) -> (…, crop, crop, C)."""
    margin = (squares.shape[-2] - crop) // 2
    return squares[..., margin : margin + crop, margin : margin + crop, :]


def mean_crop(net: Network) -> Tensor:
    """The mean image under the centre crop: float32 (crop, crop, 3), 0..255."""
    return centre(net.mean.permute(1, 2, 0), net.crop)


def to_inputs(net: Network, pixels: Tensor) -> Tensor:
    """Subtract the mean: (B, crop, crop, 3), 0..255 -> float32 (B, 3, crop, crop), channels last in memory."""
    mean = mean_crop(net)
    return (pixels.to(mean.device) - mean).permute(0, 3, 1, 2)
