"""Archives to shards in one streaming pass (ZF sect. 3).

Every image is decoded, resized to a shorter side of S, cut to its centre S × S square (or kept whole) and encoded
again; the mean image and the RGB covariance are accumulated over the centre squares before encoding. Decoding,
resizing, encoding and summing run in threads (they release the GIL), a few images per task so that scheduling costs
little; the order is preserved, and only the tasks in flight are in memory.

Shard k holds the images k·n to (k+1)·n of the archive, minus the damaged ones, so that a finished shard does not
depend on any other. Its record file keeps its sums; after an interruption, a run reuses the finished shards whose
record has the stamp of the same source, settings and libraries, and ends with the same bytes.
"""

import shutil
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simplejpeg
import torch

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, remove_unfinished, sha256, write_json
from zfnet.core.parsing import reason
from zfnet.core.progress_bar import track
from zfnet.core.threads import in_order
from zfnet.data.readers.images import EncodedImage, Source, decode
from zfnet.data.readers.names import is_shortened
from zfnet.data.readers.skipped import report
from zfnet.data.resize import centre_square, short_side
from zfnet.data.shards.channel_stats import ChannelStats, channel_products, write_statistics
from zfnet.data.shards.checksums import record
from zfnet.data.shards.index import read_index
from zfnet.data.shards.keys import KeySet
from zfnet.data.shards.manifest import Archive, Damaged, Manifest, Shard, describe_archive
from zfnet.data.shards.resume import UNFINISHED, FinishedShard, load_record, make_stamp, save_record
from zfnet.data.shards.tar import ShardWriter
from zfnet.settings import Data

_STATISTICS = "statistics.safetensors"
_TASK = 8  # images per task of a thread
_AHEAD = 2  # tasks per thread that are running or queued


class Prepared(NamedTuple):
    """One image on its way into a shard."""

    original: EncodedImage
    jpeg: bytes


def write_shards(source: Source, settings: Data, manifest: str | Path, square: bool, threads: int) -> Manifest:
    """Prepare a data set: shards, statistics.safetensors and finally `manifest`, all in one folder.

    Parameters
    ----------
    source : the images, in the order of their archive
    settings : size, quality, images per shard, and the fraction of damaged images above which preparation stops; that
        fraction is taken literally, so the default of 0.1 % tolerates none in a set of fewer than a thousand images
    manifest : path of the manifest.json to write
    square : keep the centre square (ImageNet, CIFAR-10) or the whole image (Caltech, VOC)
    threads : images prepared at once

    Raises
    ------
    ZfnetError
        Too many damaged images, two images with the same key, a number of images other than the source's, no image at
        all, or a missing archive.
    """
    path = Path(manifest)
    path.unlink(missing_ok=True)  # while shards are replaced, nothing must look finished
    (path.parent / UNFINISHED).mkdir(parents=True, exist_ok=True)
    with _described(source.archives) as archives, _one_torch_thread(), ThreadPoolExecutor(threads) as pool:
        writer = _Writer(source, settings, path.parent, square, pool, threads * _AHEAD)
        total = _gather(writer.shards(), source, settings)
        total.renamed = writer.renamed
        written = _finish(total, source, settings, path, square, archives.result())
    _clean(path.parent, written)
    return written


class _Writer:
    """Writer of one shard after the other that reuses the finished ones of an interrupted run."""

    def __init__(
        self, source: Source, settings: Data, folder: Path, square: bool, pool: ThreadPoolExecutor, ahead: int
    ):
        self.source, self.settings, self.folder, self.square = source, settings, folder, square
        self.pool, self.ahead = pool, ahead
        self.stamp = make_stamp(source, settings, square)
        self.renamed: dict[str, str] = {}  # key -> place of an image whose key lacks a part of its name

    def shards(self) -> Iterator[FinishedShard]:
        """Yield the shards, in order."""
        source, count = self.source, self.settings.images_per_shard
        images = _unique(track(source.images(), f"shards of {source.name}", source.expected), self.renamed)
        for number, first in enumerate(images):
            yield self._shard(f"{source.name}-{number:06d}", chain([first], islice(images, count - 1)))

    def _shard(self, name: str, images: Iterable[EncodedImage]) -> FinishedShard:
        shard, record = self.folder / f"{name}.tar", self.folder / UNFINISHED / f"{name}.safetensors"
        if (finished := load_record(record, self.stamp, shard)) is not None:
            deque(images, maxlen=0)  # skip them
            return finished
        record.unlink(missing_ok=True)  # it may describe the shard that is about to be replaced
        finished = self._write(shard, images)
        save_record(record, self.stamp, finished)
        return finished

    def _write(self, path: Path, images: Iterable[EncodedImage]) -> FinishedShard:
        damaged, stats = [], ChannelStats(self.settings.image_size)
        with atomic(path) as temporary, temporary.open("wb") as file:
            shard = ShardWriter(file)
            for results, task_stats in in_order(self.pool, self._prepare_all, _tasks(images), self.ahead):
                stats.merge(task_stats.tensors())
                for result in results:
                    if isinstance(result, Damaged):
                        damaged.append(result)
                    else:
                        original = result.original
                        shard.add(original.key, result.jpeg, original.label, original.annotation)
            digest = shard.finish()
        described = Shard(file=path.name, images=stats.images, bytes=shard.bytes, sha256=digest)
        return FinishedShard(described, damaged, stats)

    def _prepare_all(self, images: list[EncodedImage]) -> tuple[list[Prepared | Damaged], ChannelStats]:
        stats = ChannelStats(self.settings.image_size)
        return [self._prepare(image, stats) for image in images], stats

    def _prepare(self, original: EncodedImage, stats: ChannelStats) -> Prepared | Damaged:
        size = self.settings.image_size
        try:
            pixels = short_side(decode(original.data, "the image", self.settings.max_pixels), size)
            square = np.ascontiguousarray(centre_square(pixels, size))
            kept = square if self.square else pixels
            jpeg = simplejpeg.encode_jpeg(kept, self.settings.jpeg_quality, "RGB", "420", fastdct=False)
        except Exception as error:  # whatever it is, one image never ends a preparation
            return Damaged(key=original.key, source=original.source, reason=reason(error))
        stats.add(square, channel_products(square))
        return Prepared(original, jpeg)


def _tasks(images: Iterable[EncodedImage]) -> Iterator[list[EncodedImage]]:
    images = iter(images)
    while task := list(islice(images, _TASK)):
        yield task


def _unique(images: Iterable[EncodedImage], renamed: dict[str, str]) -> Iterator[EncodedImage]:
    """Refuse a second image of the same key; note in `renamed` the keys that were shortened."""
    keys = KeySet()
    for image in images:
        if not keys.add(image.key):
            raise ZfnetError(
                f"{image.source}: a second image with the key {image.key}; keys must be unique, so remove one of them "
                "from the archive."
            )
        if is_shortened(image.key):
            renamed[image.key] = image.source
        yield image


@dataclass
class _Total:
    shards: list[Shard]
    damaged: list[Damaged]
    stats: ChannelStats
    renamed: dict[str, str]


def _gather(finished_shards: Iterable[FinishedShard], source: Source, settings: Data) -> _Total:
    total = _Total([], [], ChannelStats(settings.image_size), {})
    for finished in finished_shards:
        total.shards.append(finished.shard)
        total.damaged.extend(finished.damaged)
        total.stats.merge(finished.stats.tensors())
        if source.expected:  # too many already: do not read the rest
            _check_damage(total.damaged, max(source.expected, total.stats.images), source, settings)
    images = total.stats.images + len(total.damaged)
    _check_damage(total.damaged, images, source, settings)
    if not total.stats.images:
        raise ZfnetError(f"{source.name}: no image in {', '.join(map(str, source.archives))}; check the archive.")
    _check_count(images, source)
    return total


def _check_damage(damaged: list[Damaged], images: int, source: Source, settings: Data) -> None:
    if len(damaged) <= settings.max_bad_fraction * images:
        return
    first = "".join(f"\n  {entry.source}: {entry.reason}" for entry in damaged[:5])
    raise ZfnetError(
        f"{source.name}: {len(damaged)} of {images} images cannot be decoded, more than data.max_bad_fraction = "
        f"{settings.max_bad_fraction:g} allows. The first of them:{first}\n"
        "Get the archive again, or raise data.max_bad_fraction."
    )


def _check_count(images: int, source: Source) -> None:
    if source.expected not in (None, images):
        raise ZfnetError(
            f"{source.name}: {images} images in {', '.join(map(str, source.archives))}, where {source.expected} "
            "were expected; copy the missing ones again, or use archives that belong together."
        )


def _finish(
    total: _Total, source: Source, settings: Data, path: Path, square: bool, archives: list[Archive]
) -> Manifest:
    statistics = path.parent / _STATISTICS
    write_statistics(statistics, total.stats)
    manifest = Manifest(
        name=source.name,
        images=total.stats.images,
        classes=source.classes,
        words=source.words,
        size=settings.image_size,
        square=square,
        quality=settings.jpeg_quality,
        shards=total.shards,
        source=archives,
        settings=settings.model_dump(mode="json"),
        damaged=total.damaged,
        skipped=source.skipped.entries(),
        renamed=total.renamed,
        statistics=_STATISTICS,
        statistics_sha256=sha256(statistics),
    )
    record(manifest, path.parent)
    report(source.name, manifest.skipped)
    read_index(manifest, path.parent)  # writes it: the trainings that start together need not read all shards
    write_json(path, manifest.model_dump())
    return manifest


def _clean(folder: Path, manifest: Manifest) -> None:
    """Remove leftovers of earlier runs: shards beyond the last, half-written files, records."""
    wanted = {shard.file for shard in manifest.shards}
    for path in folder.glob(f"{manifest.name}-*.tar"):
        if path.name not in wanted:
            path.unlink()
    remove_unfinished(folder / f"{manifest.name}-*.tar")
    shutil.rmtree(folder / UNFINISHED)


@contextmanager
def _described(archives: Iterable[Path]) -> Iterator[Future[list[Archive]]]:
    """Checksum the archives in a thread alongside the pass that reads them, so that they are read from disk once."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(lambda: [describe_archive(path, stop) for path in archives])
        finally:
            stop.set()


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Restrict torch to one thread: resizing already runs in the threads of the pool."""
    previous = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(previous)
