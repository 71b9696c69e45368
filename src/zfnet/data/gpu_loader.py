"""Shards whose pictures are decoded on the GPU: only the JPEGs, a tenth of the pixels' bytes, travel there.

The JPEGs stay where they are, in the mapped shards, which the system keeps in memory where there is room. One thread
decodes the next batches on a CUDA stream of its own while the current one is learnt from. nvJPEG rounds otherwise than
libjpeg, so a training says in its spec which of the two decoded its pictures (`training.decode`).

The same class on the CPU uses torchvision's decoder, for tests. The way on a GPU has not been run yet.
"""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.threads import in_order
from zfnet.data.loader import Batch, Shards
from zfnet.data.resize import centre_square

_AHEAD = 3  # batches under way

Decode = Literal["cpu", "gpu"]


def open_shards(path: str | Path, decode: Decode) -> Shards:
    """Open a data set to be decoded there."""
    return DeviceShards(path) if decode == "gpu" else Shards(path)


class DeviceShards(Shards):
    """A prepared data set whose batches are on a device already.

    Parameters
    ----------
    path : the manifest.json
    device : "cuda", the device that is current when the first batch is asked for; or "cpu"
    """

    def __init__(self, path: str | Path, device: str = "cuda"):
        super().__init__(path)
        self.device = device

    def batches(self, indices: Sequence[int] | np.ndarray, batch: int, threads: int = 2) -> Iterator[Batch]:
        """Decode as `Shards.batches` does; one thread is enough, whatever `threads` says.

        Raises
        ------
        ZfnetError
            There is no GPU, or a picture cannot be decoded.
        """
        indices = np.array(indices, np.int64)
        parts = (indices[start : start + batch] for start in range(0, len(indices), batch))
        decoder, pool = _Decoder(self, _device(self.device)), ThreadPoolExecutor(1, "decode")
        try:
            for found in in_order(pool, decoder.decode, parts, _AHEAD):
                if found.images.is_cuda:  # the memory is of the decoder's stream: keep it until ours has used it
                    found.images.record_stream(torch.cuda.current_stream(found.images.device))
                yield found
        finally:
            pool.shutdown(cancel_futures=True)

    def encoded(self, index: int) -> Tensor:
        """The JPEG as it lies in the mapped shard: uint8 (bytes,)."""
        return torch.from_numpy(np.asarray(self._content(index, *self._index.pictures[index])))


class _Decoder:
    """Decodes batches on a stream of its own."""

    def __init__(self, shards: DeviceShards, device: torch.device):
        self.shards, self.device = shards, device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def decode(self, indices: np.ndarray) -> Batch:
        """Give a batch that is complete: torchvision's decoder has a stream of its own and writes into memory that ours
        may still be reading, so nothing may be under way when the decoded pictures are let go."""
        with torch.cuda.stream(self.stream) if self.stream else nullcontext():
            images = self._images(indices)
        if self.stream:
            self.stream.synchronize()
        return Batch(images, torch.from_numpy(self.shards.labels[indices]), torch.from_numpy(indices))

    def _images(self, indices: np.ndarray) -> Tensor:
        size = self.shards.size
        try:
            pictures = [picture.permute(1, 2, 0) for picture in self._pictures(indices)]
        except RuntimeError as error:
            raise ZfnetError(self._sentence(indices, str(error).splitlines()[0])) from None
        for picture, index in zip(pictures, indices, strict=True):
            if min(picture.shape[:2]) != size:
                raise ZfnetError(self._sentence([index], f"its shorter side is not {size} pixels"))
        images = torch.empty(len(indices), size, size, 3, dtype=torch.uint8, device=self.device)
        return torch.stack([centre_square(picture, size) for picture in pictures], out=images)

    def _pictures(self, indices: np.ndarray) -> list[Tensor]:
        from torchvision.io import ImageReadMode, decode_jpeg

        with warnings.catch_warnings():  # torchvision names a successor; its own decoder still works
            warnings.simplefilter("ignore", DeprecationWarning)
            return decode_jpeg([self.shards.encoded(i) for i in indices.tolist()], ImageReadMode.RGB, self.device)

    def _sentence(self, indices: Sequence[int] | np.ndarray, reason: str) -> str:
        names = ", ".join(self.shards.keys[int(index)] for index in indices[:3])
        return (
            f"{self.shards.path}: {len(indices)} pictures ({names}, …) cannot be decoded on {self.device} ({reason}); "
            f"prepare the data set again, or set training.decode: cpu."
        )


def _device(name: str) -> torch.device:
    if name != "cuda":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise ZfnetError("training.decode = gpu, but this machine has no CUDA device; set it to cpu.")
    return torch.device("cuda", torch.cuda.current_device())  # of this thread: the decoding one has its own
