"""Archives to shards, in one streaming pass (ZF sect. 3).

Every picture is decoded, resized to a shorter side of S, cut to its centre S × S square (or kept whole) and encoded
again; the mean image and the colour covariance are summed on the way, over the centre squares before encoding.
Decoding, resizing, encoding and summing run in threads (they release the GIL), a few pictures at a time so that
handing them over costs little; the order is kept, and only these few are in memory at any time.

Shard k holds the pictures k·n to (k+1)·n of the archive, less the damaged ones, so that a finished shard does not
depend on any other. Beside it a part file keeps its sums; a run that was killed takes over the finished shards whose
part file has the stamp of the same source, settings and libraries, and ends with the same bytes.
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
from zfnet.core.progress import track
from zfnet.core.threads import in_order
from zfnet.data.readers.images import DamagedImage, EncodedImage, Source, decode
from zfnet.data.resize import centre_square, scaled, short_side
from zfnet.data.shards.channel_stats import ChannelStats, products, write_statistics
from zfnet.data.shards.keys import Seen
from zfnet.data.shards.manifest import Archive, Damaged, Manifest, Shard, describe_archive
from zfnet.data.shards.resume import UNFINISHED, Part, load_part, make_stamp, save_part
from zfnet.data.shards.tar import ShardWriter
from zfnet.settings import Data

_STATISTICS = "statistics.safetensors"
_TASK = 8  # pictures a thread prepares before it asks for more
_AHEAD = 2  # such tasks per thread that are under way or wait for their turn
_LONGEST = 65_500  # JPEG's limit to a side, pixels


class Prepared(NamedTuple):
    """One picture on its way into a shard."""

    picture: EncodedImage
    jpeg: bytes


def write_shards(source: Source, settings: Data, manifest: str | Path, square: bool, threads: int) -> Manifest:
    """Prepare a data set: shards, statistics.safetensors and at last `manifest`, all in one folder.

    Parameters
    ----------
    source : the pictures, in the order of their archive
    settings : size, quality, pictures per shard, and the share of damaged pictures above which this stops; that share
        is taken literally, so the default of 0.1 % forgives nothing in a set of less than a thousand pictures
    manifest : path of the manifest.json to write
    square : keep the centre square (ImageNet, CIFAR-10) or the whole picture (Caltech, VOC)
    threads : pictures prepared at once

    Raises
    ------
    ZfnetError
        Too many damaged pictures, two pictures of the same key, another number of pictures than the source tells, no
        picture at all, or a missing archive.
    """
    manifest = Path(manifest)
    manifest.unlink(missing_ok=True)  # while shards are replaced, nothing must look finished
    parts = manifest.parent / UNFINISHED
    parts.mkdir(parents=True, exist_ok=True)
    with _described(source.archives) as archives, _one_torch_thread(), ThreadPoolExecutor(threads) as pool:
        writer = _Writer(source, settings, manifest.parent, square, pool, threads * _AHEAD)
        finished = _gather(writer.parts(), source, settings)
        made = _finish(finished, source, settings, manifest, square, archives.result())
    _clean(manifest.parent, made)
    return made


class _Writer:
    """Makes the parts one after the other, or takes them over from a run that was killed."""

    def __init__(
        self, source: Source, settings: Data, folder: Path, square: bool, pool: ThreadPoolExecutor, ahead: int
    ):
        self.source, self.settings, self.folder, self.square = source, settings, folder, square
        self.pool, self.ahead = pool, ahead
        self.stamp = make_stamp(source, settings, square)

    def parts(self) -> Iterator[Part]:
        """The parts, in order."""
        source, count = self.source, self.settings.images_per_shard
        pictures = _unique(track(source.images(), f"shards of {source.name}", source.expected))
        for number, first in enumerate(pictures):
            mine = chain([first], islice(pictures, count - 1))
            yield self._part(f"{source.name}-{number:06d}", mine)

    def _part(self, name: str, pictures: Iterable[EncodedImage]) -> Part:
        shard, beside = self.folder / f"{name}.tar", self.folder / UNFINISHED / f"{name}.safetensors"
        if (part := load_part(beside, self.stamp, shard)) is not None:
            deque(pictures, maxlen=0)  # read past them
            return part
        beside.unlink(missing_ok=True)  # it may describe the shard that is about to be replaced
        part = self._write(shard, pictures)
        save_part(beside, self.stamp, part)
        return part

    def _write(self, path: Path, pictures: Iterable[EncodedImage]) -> Part:
        damaged, sums = [], ChannelStats(self.settings.image_size)
        with atomic(path) as beside, beside.open("wb") as file:
            shard = ShardWriter(file)
            for results, their_sums in in_order(self.pool, self._prepare_all, _tasks(pictures), self.ahead):
                sums.merge(their_sums.tensors())
                for result in results:
                    if isinstance(result, Damaged):
                        damaged.append(result)
                    else:
                        picture = result.picture
                        shard.add(picture.key, result.jpeg, picture.label, picture.annotation)
            digest = shard.finish()
        return Part(Shard(file=path.name, images=sums.images, bytes=shard.bytes, sha256=digest), damaged, sums)

    def _prepare_all(self, pictures: list[EncodedImage]) -> tuple[list[Prepared | Damaged], ChannelStats]:
        sums = ChannelStats(self.settings.image_size)
        return [self._prepare(picture, sums) for picture in pictures], sums

    def _prepare(self, picture: EncodedImage, sums: ChannelStats) -> Prepared | Damaged:
        try:
            image = _read(picture, self.settings)
        except DamagedImage as error:
            return Damaged(key=picture.key, source=picture.source, reason=str(error))
        image = short_side(image, self.settings.image_size)
        square = np.ascontiguousarray(centre_square(image, self.settings.image_size))
        sums.add(square, products(square))
        kept = square if self.square else image
        return Prepared(picture, simplejpeg.encode_jpeg(kept, self.settings.jpeg_quality, "RGB", "420", fastdct=False))


def _tasks(pictures: Iterable[EncodedImage]) -> Iterator[list[EncodedImage]]:
    pictures = iter(pictures)
    while task := list(islice(pictures, _TASK)):
        yield task


def _read(picture: EncodedImage, settings: Data) -> np.ndarray:
    image = decode(picture.data, "the picture", settings.max_pixels)
    height, width = image.shape[:2]
    if max(scaled(height, width, settings.image_size)) > _LONGEST:
        raise DamagedImage(
            f"the picture is too narrow ({width} × {height}) for a shorter side of {settings.image_size}"
        )
    return image


def _unique(pictures: Iterable[EncodedImage]) -> Iterator[EncodedImage]:
    seen = Seen()
    for picture in pictures:
        if not seen.add(picture.key):
            raise ZfnetError(
                f"{picture.source}: a second picture with the key {picture.key}; every name may occur once, so take "
                f"one of them out of the archive."
            )
        yield picture


@dataclass
class _Total:
    shards: list[Shard]
    damaged: list[Damaged]
    sums: ChannelStats


def _gather(parts: Iterable[Part], source: Source, settings: Data) -> _Total:
    total = _Total([], [], ChannelStats(settings.image_size))
    for part in parts:
        total.shards.append(part.shard)
        total.damaged.extend(part.damaged)
        total.sums.merge(part.sums.tensors())
        if source.expected:  # hopeless already: do not read the rest
            _refuse_damage(total.damaged, max(source.expected, total.sums.images), source, settings)
    pictures = total.sums.images + len(total.damaged)
    _refuse_damage(total.damaged, pictures, source, settings)
    if not total.sums.images:
        raise ZfnetError(f"{source.name}: no picture in {', '.join(map(str, source.archives))}; check the archive.")
    _refuse_another_number(pictures, source)
    return total


def _refuse_damage(damaged: list[Damaged], pictures: int, source: Source, settings: Data) -> None:
    if len(damaged) <= settings.max_bad_fraction * pictures:
        return
    first = "".join(f"\n  {entry.source}: {entry.reason}" for entry in damaged[:5])
    raise ZfnetError(
        f"{source.name}: {len(damaged)} of {pictures} pictures cannot be decoded, more than data.max_bad_fraction = "
        f"{settings.max_bad_fraction:g} allows. The first of them:{first}\nGet the archive anew, or raise data.max_bad_fraction."
    )


def _refuse_another_number(pictures: int, source: Source) -> None:
    if source.expected not in (None, pictures):
        raise ZfnetError(
            f"{source.name}: {pictures} pictures in {', '.join(map(str, source.archives))}, where {source.expected} "
            "were expected; copy what is missing again, or give the archives that belong to each other."
        )


def _finish(
    total: _Total, source: Source, settings: Data, path: Path, square: bool, archives: list[Archive]
) -> Manifest:
    statistics = path.parent / _STATISTICS
    write_statistics(statistics, total.sums)
    manifest = Manifest(
        name=source.name,
        images=total.sums.images,
        classes=source.classes,
        words=source.words,
        size=settings.image_size,
        square=square,
        quality=settings.jpeg_quality,
        shards=total.shards,
        source=archives,
        settings=settings.model_dump(mode="json"),
        damaged=total.damaged,
        statistics=_STATISTICS,
        statistics_sha256=sha256(statistics),
    )
    write_json(path, manifest.model_dump())
    return manifest


def _clean(folder: Path, manifest: Manifest) -> None:
    """Remove what earlier runs left: shards beyond the last, half-written files, parts."""
    wanted = {shard.file for shard in manifest.shards}
    for path in folder.glob(f"{manifest.name}-*.tar"):
        if path.name not in wanted:
            path.unlink()
    remove_unfinished(folder / f"{manifest.name}-*.tar")
    shutil.rmtree(folder / UNFINISHED)


@contextmanager
def _described(archives: Iterable[Path]) -> Iterator[Future[list[Archive]]]:
    """Checksum the archives in a thread beside the pass that reads them, so that the disk gives them once."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(lambda: [describe_archive(path, stop) for path in archives])
        finally:
            stop.set()


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Resize in the pool's threads alone: torch's own would only fight with them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
