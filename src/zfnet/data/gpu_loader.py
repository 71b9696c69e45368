"""Shards whose images are decoded on the GPU: only the JPEGs are transferred, a tenth of the bytes of the pixels.

The JPEGs stay in the memory-mapped shards, which the system caches if there is room. One thread decodes the next
batches on its own CUDA stream while the current one trains. nvJPEG rounds differently from libjpeg, so the spec of a
training records which of the two decoded its images (`training.decode`).

On the CPU, the same class uses torchvision's decoder, for tests. The GPU path has not been run yet.
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

from zfnet.core.errors import ZfnetError, first_line
from zfnet.core.threads import in_order
from zfnet.data.loader import Batch, Shards
from zfnet.data.resize import centre_square

_AHEAD = 3  # batches in flight

Decode = Literal["cpu", "gpu"]


def open_shards(path: str | Path, decode: Decode) -> Shards:
    """Open a data set whose images are decoded on the CPU or the GPU."""
    return DeviceShards(path) if decode == "gpu" else Shards(path)


class DeviceShards(Shards):
    """A prepared data set whose batches are decoded on a device.

    Parameters
    ----------
    path : the manifest.json
    device : "cuda", the device that is current when the first batch is requested; or "cpu"
    """

    def __init__(self, path: str | Path, device: str = "cuda"):
        super().__init__(path)
        self.device = device

    def batches(self, indices: Sequence[int] | np.ndarray, batch: int, threads: int = 2) -> Iterator[Batch]:
        """Decode as `Shards.batches` does, in one thread whatever `threads` is.

        Raises
        ------
        ZfnetError
            There is no GPU, or an image cannot be decoded.
        """
        indices = np.array(indices, np.int64)
        parts = (indices[start : start + batch] for start in range(0, len(indices), batch))
        decoder, pool = _Decoder(self, _device(self.device)), ThreadPoolExecutor(1, "decode")
        try:
            for decoded in in_order(pool, decoder.decode, parts, _AHEAD):
                if decoded.images.is_cuda:  # allocated on the decoder's stream: not to be freed before ours used it
                    decoded.images.record_stream(torch.cuda.current_stream(decoded.images.device))
                yield decoded
        finally:
            pool.shutdown(cancel_futures=True)

    def encoded(self, index: int) -> Tensor:
        """Return the JPEG as a view of the mapped shard: uint8 (bytes,)."""
        return torch.from_numpy(np.asarray(self._content(index, *self._index.images[index])))


class _Decoder:
    """Decoder of batches on its own CUDA stream."""

    def __init__(self, shards: DeviceShards, device: torch.device):
        self.shards, self.device = shards, device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def decode(self, indices: np.ndarray) -> Batch:
        """Decode a batch and wait for it.

        torchvision's decoder has a stream of its own and writes into memory that ours may still be reading, so nothing
        may be pending when the decoded images are freed.
        """
        with torch.cuda.stream(self.stream) if self.stream else nullcontext():
            images = self._images(indices)
        if self.stream:
            self.stream.synchronize()
        return Batch(images, torch.from_numpy(self.shards.labels[indices]), torch.from_numpy(indices))

    def _images(self, indices: np.ndarray) -> Tensor:
        size = self.shards.size
        try:
            uncut = [image.permute(1, 2, 0) for image in self._decode_jpegs(indices)]  # each (H, W, 3)
        except RuntimeError as error:
            raise ZfnetError(self._failure(indices, first_line(error))) from None
        for image, index in zip(uncut, indices, strict=True):
            if min(image.shape[:2]) != size:
                raise ZfnetError(self._failure([index], f"its shorter side is not {size} pixels"))
        images = torch.empty(len(indices), size, size, 3, dtype=torch.uint8, device=self.device)
        return torch.stack([centre_square(image, size) for image in uncut], out=images)

    def _decode_jpegs(self, indices: np.ndarray) -> list[Tensor]:
        from torchvision.io import ImageReadMode, decode_jpeg

        with warnings.catch_warnings():  # it recommends a successor; this decoder still works
            warnings.simplefilter("ignore", DeprecationWarning)
            return decode_jpeg([self.shards.encoded(i) for i in indices.tolist()], ImageReadMode.RGB, self.device)

    def _failure(self, indices: Sequence[int] | np.ndarray, reason: str) -> str:
        names = ", ".join(self.shards.keys[int(index)] for index in indices[:3])
        return (
            f"{self.shards.path}: {len(indices)} images ({names}, …) cannot be decoded on {self.device} ({reason}); "
            f"prepare the data set again, or set training.decode: cpu."
        )


def _device(name: str) -> torch.device:
    if name != "cuda":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise ZfnetError("training.decode = gpu, but this machine has no CUDA device; set it to cpu.")
    return torch.device("cuda", torch.cuda.current_device())  # of this thread: the decoding thread has its own
