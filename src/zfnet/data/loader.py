"""Shards to batches: random access over memory-mapped tars, decoded in threads.

The tar headers are walked once and the positions of all images cached in index.safetensors next to the manifest. An
image is then decoded from the mapped file straight into its row of the batch: no copy, no process, no queue of images.
Batches come in the order of the given indices, whatever the number of threads. Their memory is reused (`Buffers`); once
CUDA is initialised it is pinned memory, whose allocator also reuses it, but only after pending copies have finished.

`zfnet.data.stream` reads the same shards sequentially where they are not on this machine.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import simplejpeg
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.parsing import parse_json, reading, reason
from zfnet.data.buffers import Buffers
from zfnet.data.mapped import read_at_random
from zfnet.data.resize import centre_square
from zfnet.data.shards.channel_stats import read_statistics
from zfnet.data.shards.index import Index, read_index
from zfnet.data.shards.keys import Keys
from zfnet.data.shards.manifest import Manifest

_PREFETCH = 3  # batches in flight
_TASK = 16  # images per task of a thread


class Batch(NamedTuple):
    """Some images of a data set."""

    images: Tensor  # uint8 (B, S, S, 3), RGB
    labels: Tensor  # int64 (B,)
    indices: Tensor  # int64 (B,), positions in the data set


class Shards:
    """A prepared data set with random access.

    Parameters
    ----------
    path : the manifest.json

    Raises
    ------
    ZfnetError
        The manifest or a shard is missing, or the size of a shard differs from the manifest.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.manifest = Manifest.load(path)
        self._index: Index = read_index(self.manifest, self.path.parent)
        self._files: dict[int, memoryview] = {}

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> list[str]:
        """Id of each label."""
        return self.manifest.classes

    @property
    def size(self) -> int:
        """Side S of the squares, pixels."""
        return self.manifest.size

    @property
    def labels(self) -> np.ndarray:
        """Label of each image: int64 (N,), -1 for none."""
        return self._index.labels

    @property
    def keys(self) -> Keys:
        """Key of each image."""
        return self._index.keys

    @property
    def mean(self) -> Tensor:
        """Mean image: float32 (3, S, S), 0..255."""
        return torch.from_numpy(self._statistics[0])

    @property
    def covariance(self) -> Tensor:
        """Covariance of the RGB values: float32 (3, 3)."""
        return torch.from_numpy(self._statistics[1])

    @cached_property
    def _statistics(self) -> tuple[np.ndarray, np.ndarray]:
        path = self.path.parent / self.manifest.statistics
        mean, covariance = read_statistics(path)
        if mean.shape[1] != self.size:
            raise ZfnetError(f"{path}: the mean image has a side of {mean.shape[1]}, the manifest says {self.size}.")
        return mean, covariance

    def jpeg(self, index: int) -> bytes:
        """Return the encoded image as stored in the shard: the centre square, or the uncut image."""
        return bytes(self._content(index, *self._index.images[index]))

    def annotation(self, index: int) -> dict[str, Any] | None:
        """Return the annotation of the image in its archive, None if it has none."""
        offset, size = self._index.annotations[index]
        if not size:
            return None
        name = f"{self._shard_path(index)}: {self.keys[index]}.json"
        with reading(name, "an annotation", f"prepare the data set again (snakemake {self.path})"):
            content = parse_json(bytes(self._content(index, offset, size)))
            if not isinstance(content, dict):
                raise ValueError(f"{type(content).__name__}, expected an object")
        return content

    def squares(self, indices: Sequence[int] | np.ndarray, threads: int = 2) -> Tensor:
        """Return the centre squares of the images `indices`: uint8 (B, S, S, 3)."""
        empty = torch.empty(0, self.size, self.size, 3, dtype=torch.uint8)
        return next((batch.images for batch in self.batches(indices, max(1, len(indices)), threads)), empty)

    def batches(self, indices: Sequence[int] | np.ndarray, batch: int, threads: int = 2) -> Iterator[Batch]:
        """Decode the images `indices` in this order, `batch` at a time; the last batch may be smaller.

        The next batches are prefetched. Once CUDA is initialised, the images are in pinned memory.
        """
        indices = np.array(indices, np.int64)
        pool, buffers = ThreadPoolExecutor(threads, "decode"), Buffers(_PREFETCH)
        waiting: deque[tuple[Batch, list[Future[None]]]] = deque()
        try:
            for start in range(0, len(indices), batch):
                waiting.append(self._start(pool, buffers, indices[start : start + batch]))
                if len(waiting) >= _PREFETCH:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _start(
        self, pool: ThreadPoolExecutor, buffers: Buffers, indices: np.ndarray
    ) -> tuple[Batch, list[Future[None]]]:
        batch = self._batch(indices, buffers)
        rows = batch.images.numpy()
        slices = [slice(start, start + _TASK) for start in range(0, len(indices), _TASK)]
        return batch, [pool.submit(self._fill, rows[part], indices[part]) for part in slices]

    def _batch(self, indices: np.ndarray, buffers: Buffers) -> Batch:
        shape = len(indices), self.size, self.size, 3
        if torch.cuda.is_initialized():  # never initialise it here: the job may not hold the GPU's lock
            images = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        else:
            images = buffers.empty(*shape)
        return Batch(images, torch.from_numpy(self.labels[indices]), torch.from_numpy(indices))

    def _fill(self, rows: np.ndarray, indices: np.ndarray) -> None:
        for row, index in zip(rows, indices.tolist(), strict=True):
            try:
                decode_square(self._content(index, *self._index.images[index]), row, self.manifest.square)
            except Exception as error:  # simplejpeg raises other errors than ValueError, too
                raise ZfnetError(
                    f"{self._shard_path(index)}: {self.keys[index]}.jpg cannot be decoded ({reason(error)}); the shard "
                    f"has changed since it was written, prepare the data set again (snakemake {self.path})."
                ) from None

    def _shard_path(self, index: int) -> Path:
        return self.path.parent / self.manifest.shards[self._index.shards[index]].file

    def _content(self, index: int, offset: int, size: int) -> memoryview:
        shard = int(self._index.shards[index])
        if shard not in self._files:  # torch closes the file after mapping it: ImageNet has 641 of them
            path, length = str(self._shard_path(index)), self.manifest.shards[shard].bytes
            content = torch.from_file(path, size=length, dtype=torch.uint8)
            read_at_random(content.data_ptr(), length)
            self._files[shard] = content.numpy().data
        return self._files[shard][offset : offset + size]


def require_square_size(shards: Shards, size: int, name: object = "the data set") -> None:
    """Check that a data set has the squares a net takes.

    Raises
    ------
    ZfnetError
        Its squares have another size; the message calls it `name`.
    """
    if shards.size != size:
        raise ZfnetError(
            f"The net takes squares of {size} px, but {name} has squares of {shards.size} px; prepare the data with "
            f"data.image_size = {size}."
        )


def decode_square(jpeg: bytes | memoryview, row: np.ndarray, square: bool) -> None:
    """Decode an image into `row`, uint8 (S, S, 3); of an uncut image (`square` false), its centre square.

    Raises
    ------
    ValueError
        It is not a JPEG, its shorter side is not S, or it should be square and is not.
    """
    height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)  # it decides how much is allocated
    if (height, width) != row.shape[:2] and (square or min(height, width) != len(row)):
        raise ValueError(f"{width} × {height} pixels instead of {len(row)}")
    image = simplejpeg.decode_jpeg(jpeg, "RGB", buffer=row if square else None)
    if not square:
        row[:] = centre_square(image, len(row))


def _finished(batch: Batch, tasks: list[Future[None]]) -> Batch:
    for task in tasks:
        task.result()
    return batch
