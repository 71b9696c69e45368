"""Images as inputs of a net: the centre crop of every square, as pixels and as mean-subtracted input.

All figures show centre crops, as in an evaluation without augmentation. Pixels stay uint8 and on the CPU, so that what
is cut out, covered or drawn are the pixels of the image; the mean is subtracted last.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.data.loader import Shards, require_square_size
from zfnet.evaluation.evaluate_run import same_classes
from zfnet.nets import Network, load

GREY = 124  # of the occluder in the paper's bitmaps: 123 to 125 of 255 in all three channels (D20)


class InputBatch(NamedTuple):
    """A minibatch of centre crops."""

    pixels: Tensor  # uint8 (B, crop, crop, 3), RGB, on the CPU
    inputs: Tensor  # float32 (B, 3, crop, crop), mean-subtracted, on the net's device
    labels: Tensor  # int64 (B,), on the CPU
    indices: Tensor  # int64 (B,), indices into the data set, on the CPU


@dataclass(frozen=True)
class InputLoader:
    """Loads the images of a data set as inputs of one net.

    Attributes
    ----------
    net : the net, whose crop and mean image are used.
    shards : the images: `zfnet.data.loader.Shards`, or anything with its interface.
    threads : decoding threads.
    batch_size : images per minibatch.
    """

    net: Network
    shards: Any  # Shards, or an ImageFolder, which has its interface
    threads: int = 2
    batch_size: int = 64

    def __len__(self) -> int:
        return len(self.shards)

    def batches(self, indices: Iterable[int] | None = None) -> Iterator[InputBatch]:
        """Iterate over the images `indices` (None: all) in this order, `batch_size` at a time."""
        chosen = np.arange(len(self)) if indices is None else np.fromiter(indices, np.int64)
        for batch in self.shards.batches(chosen, self.batch_size, self.threads):
            pixels = centre(batch.images, self.net.crop)  # (B, crop, crop, 3)
            yield InputBatch(pixels, to_inputs(self.net, pixels), batch.labels, batch.indices)

    def squares(self, indices: Sequence[int]) -> Tensor:
        """Return the whole squares of some images: uint8 (B, S, S, 3)."""
        return self.shards.squares(np.asarray(indices, np.int64), self.threads)

    def class_name(self, label: int) -> str:
        """Return the first of the human-readable names of a class."""
        return class_name(self.shards, label)


def open_loader(weights: Path, manifest: Path, threads: int, labels: bool = True) -> InputLoader:
    """Load a net and a data set that fits it.

    Parameters
    ----------
    labels : require that the classes of the images are those of the net; without it any images will do.

    Raises
    ------
    ZfnetError
        A file is missing or damaged, the squares and the net's mean image differ in size, or the labels are unknown or
        of other classes.
    """
    torch.set_num_threads(threads)
    net, shards = open_net(weights), Shards(manifest)
    require_square_size(shards, net.size, manifest)
    if labels:
        same_classes(net, weights, shards)
        _require_labels(shards)
    return InputLoader(net, shards, threads)


def _require_labels(shards: Shards) -> None:
    if (shards.labels < 0).any():
        raise ZfnetError(f"{shards.path}: some images have no label; use a data set whose labels are known.")


def open_net(weights: Path) -> Network:
    """Load a net onto the device for inference in full precision.

    Raises
    ------
    ZfnetError
        The file is missing or damaged, or the training diverged.
    """
    net = load(weights).to(device()).eval()
    if not all(parameter.isfinite().all() for parameter in net.parameters()):
        raise ZfnetError(
            f"{weights}: weights are not finite, so the training diverged; train again at a lower learning rate."
        )
    return net.requires_grad_(False)


def sample_indices(count: int, limit: int | None, seed: int) -> list[int]:
    """Draw `limit` of `count` indices at random, in ascending order; None: all."""
    if limit is None or limit >= count:
        return list(range(count))
    return np.sort(np.random.default_rng(seed).permutation(count)[:limit]).tolist()


def class_name(shards: Shards, label: int) -> str:
    """Return the first of the human-readable names of class `label`."""
    wnid = shards.classes[label]
    return shards.manifest.words.get(wnid, wnid).split(",")[0]


def centre(squares: Tensor, crop: int) -> Tensor:
    """Cut out the centre crop: (…, S, S, C) -> (…, crop, crop, C)."""
    margin = (squares.shape[-2] - crop) // 2
    return squares[..., margin : margin + crop, margin : margin + crop, :]


def mean_crop(net: Network) -> Tensor:
    """Return the mean image under the centre crop: float32 (crop, crop, 3), 0..255."""
    return centre(net.mean.permute(1, 2, 0), net.crop)


def to_inputs(net: Network, pixels: Tensor) -> Tensor:
    """Subtract the mean: (B, crop, crop, 3), 0..255 -> float32 (B, 3, crop, crop), channels last in memory."""
    mean = mean_crop(net)
    return (pixels.to(mean.device) - mean).permute(0, 3, 1, 2)
