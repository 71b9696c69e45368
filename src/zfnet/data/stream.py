"""Sequential reading of remote shards: on a web server, in a bucket, from a command.

`webdataset` opens them, so all its addresses work: files, "https://…", "pipe:command", and "s3://…" through the
program `aws`. Images are decoded like those of local shards, one batch per thread, and come in the same batches. There
is no random access, so shuffling uses a buffer, and an epoch cannot be resumed at a step.
"""

import gzip
import re
import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import accumulate, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch

from zfnet.core.errors import ZfnetError
from zfnet.core.parsing import JSON_BYTES, parse_json, reason
from zfnet.core.threads import in_order
from zfnet.data.loader import Batch, decode_square
from zfnet.data.readers.images import DamagedImage, read_size
from zfnet.data.readers.names import readable
from zfnet.data.shards.manifest import Manifest
from zfnet.data.shards.tar import read_label
from zfnet.data.shards.tar_stream import read_images

_CHUNK = 1 << 16


class Sample(NamedTuple):
    """One image as read from a shard."""

    position: int  # in the data set
    name: str  # for messages
    jpeg: bytes
    label: int


class RemoteShards:
    """A prepared data set that is read sequentially.

    Parameters
    ----------
    shards : the manifest.json, on this machine or at an address, in the same folder as its shards; or the shards
        themselves in WebDataset's notation, such as "https://…/train-{000000..000640}.tar", or a list of them. Only
        with a manifest is a truncated shard noticed
    size : side S of the squares; None: the manifest's, or the shorter side of the first image

    Raises
    ------
    ZfnetError
        There is no manifest at the address.
    """

    def __init__(self, shards: str | Path | Sequence[str], size: int | None = None):
        self.manifest: Manifest | None = None
        if str(shards).endswith(".json"):
            self.manifest = _load_manifest(str(shards))
            folder = str(shards).rpartition("/")[0] or "."
            self.addresses = [f"{folder}/{shard.file}" for shard in self.manifest.shards]
        else:
            self.addresses = _expand(shards)
        self.size = size or (self.manifest.size if self.manifest else None)

    @property
    def classes(self) -> list[str] | None:
        """Id of each label, None without a manifest."""
        return self.manifest.classes if self.manifest else None

    def batches(self, batch: int, threads: int = 2, shuffle: int = 0, seed: int = 0, epoch: int = 0) -> Iterator[Batch]:
        """Read all images once, `batch` at a time; the last batch may be smaller.

        Parameters
        ----------
        threads : batches decoded at once
        shuffle : size of the shuffle buffer, in images; the shards are shuffled as well. 0: the order of the shards
        seed, epoch : determine the random order

        Yields
        ------
        Batch
            As from `Shards(…).batches(range(N), batch)`. Without a manifest, the indices of shuffled images number
            them in reading order.

        Raises
        ------
        ZfnetError
            A shard cannot be reached, is truncated or holds something other than images.
        """
        random = Random(f"{seed} {epoch}")
        samples = self._samples(random if shuffle else None)
        if shuffle:
            samples = _shuffle(samples, shuffle, random)
        groups = iter(lambda: list(islice(samples, batch)), [])
        pool = ThreadPoolExecutor(threads, "decode")
        try:
            yield from in_order(pool, self._decode, groups, threads + 1)
        finally:
            pool.shutdown(cancel_futures=True)

    def _samples(self, random: Random | None) -> Iterator[Sample]:
        """Yield all images, shard by shard, the shards in an order drawn from `random`."""
        numbers = list(range(len(self.addresses)))
        if random:
            random.shuffle(numbers)
        firsts = list(accumulate((shard.images for shard in self.manifest.shards), initial=0)) if self.manifest else []
        read = 0
        for number in numbers:
            first = firsts[number] if firsts else read
            for position, content in enumerate(self._shard(number), first):
                read += 1
                yield self._sample(position, content, self.addresses[number])

    def _shard(self, number: int) -> Iterator[dict[str, Any]]:
        address, count = self.addresses[number], 0
        try:
            for content in _contents(address):
                count += 1
                yield content
        except ZfnetError:
            raise
        except Exception as error:  # of the server, the command or the tar
            raise ZfnetError(
                f"{address}: the shard breaks off after {count} images ({_reason(error)}); check the address and the "
                f"connection, or copy the shards to this machine."
            ) from None
        if self.manifest and count != (expected := self.manifest.shards[number].images):
            raise ZfnetError(
                f"{address}: the shard ends after {count} images, the manifest says {expected}; upload it again."
            )

    def _sample(self, position: int, content: dict[str, Any], address: str) -> Sample:
        name = readable(f"{address}: {content['__key__']}")
        jpeg = content.get("jpg", content.get("jpeg"))
        if jpeg is None or "cls" not in content:
            suffixes = sorted(suffix for suffix in content if not suffix.startswith("__"))
            raise ZfnetError(
                f"{name}: expected a .jpg and a .cls, found {suffixes}; the shard is truncated, or not one of JPEG"
                " images with an integer label in .cls: write it anew in that form."
            )
        self.size = self.size or _short_side(jpeg, f"{name}.jpg")
        return Sample(position, name, jpeg, read_label(content["cls"], name, len(self.classes or [])))

    def _decode(self, samples: list[Sample]) -> Batch:
        size = self.size or 0  # set by the first sample
        images = torch.empty(len(samples), size, size, 3, dtype=torch.uint8)
        square = self.manifest is not None and self.manifest.square
        for row, sample in zip(images.numpy(), samples, strict=True):
            try:
                decode_square(sample.jpeg, row, square)
            except Exception as error:  # simplejpeg raises other errors than ValueError, too
                raise ZfnetError(f"{sample.name}.jpg cannot be decoded ({reason(error)}).") from None
        labels = torch.tensor([sample.label for sample in samples])
        return Batch(images, labels, torch.tensor([sample.position for sample in samples]))


def _expand(shards: str | Path | Sequence[str]) -> list[str]:
    from webdataset.shardlists import expand_urls  # here, because importing webdataset is slow

    patterns = [str(shards)] if isinstance(shards, str | Path) else shards
    return [address for pattern in patterns for address in expand_urls(pattern)]


def _shuffle(samples: Iterator[Sample], buffer: int, random: Random) -> Iterator[Sample]:
    from webdataset import shuffle

    return iter(shuffle(buffer, initial=buffer, rng=random)(samples))


def _load_manifest(address: str) -> Manifest:
    if ":" not in address:
        return Manifest.load(address)
    try:
        with _open(address) as file:
            content = file.read(JSON_BYTES + 1)
        if len(content) > JSON_BYTES:
            raise ValueError(f"more than {JSON_BYTES} bytes")
        return Manifest.model_validate(parse_json(content))
    except Exception as error:
        raise ZfnetError(f"{address}: the manifest cannot be read ({_reason(error)}); check the address.") from None


def _open(address: str) -> Any:
    from webdataset.gopen import gopen

    if ":" not in address and Path(address).exists() and not Path(address).is_file():
        raise ValueError("a folder, pipe or device, expected a file")
    return gopen(f"pipe:aws s3 cp {shlex.quote(address)} -" if address.startswith("s3://") else address)


def _short_side(jpeg: bytes, name: str) -> int:
    """Return the shorter side of an image, which becomes the size of all."""
    try:
        return min(read_size(jpeg, "the image"))
    except DamagedImage as damage:
        raise ZfnetError(f"{name} cannot be decoded ({damage.reason}).") from None


def _contents(address: str) -> Iterator[dict[str, Any]]:
    """Yield the members of each image of one shard, by suffix."""
    stream = _open(address)
    try:
        yield from read_images(gzip.GzipFile(fileobj=stream) if address.endswith((".gz", ".tgz")) else stream)
        while stream.read(_CHUNK):  # drain it, so that a command behind it can exit cleanly
            pass
        stream.close()  # an OSError if it did not
    except ValueError:
        if not stream.read(1):
            stream.close()  # the command's failure explains more than the tar's
        raise
    finally:
        with suppress(OSError):
            stream.close()


def _reason(error: Exception) -> str:
    """Return the reason in a few words: messages of webdataset contain whole commands with their arguments."""
    if match := re.search(r"exit (-?\d+)", str(error)):
        return f"the command that reads it exited with code {match[1]}"
    return getattr(error, "strerror", None) or reason(error)
