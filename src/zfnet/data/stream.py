"""Shards that can only be read from first to last: on a web server, in a bucket, out of a command.

Plain `webdataset` reads them, so that all its addresses work: files, "https://…", "pipe:command", and "s3://…" through
the program `aws`. Pictures are decoded as those of local shards are, a batch in each thread, and come in the same
batches. There is no picking of pictures here, so the shuffle is that of a buffer, and there is no going on from a step.
"""

import re
import shlex
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import accumulate, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import simplejpeg
import torch
from pydantic import ValidationError

from zfnet.core.errors import ZfnetError
from zfnet.core.threads import in_order
from zfnet.data.loader import Batch, decode_square
from zfnet.data.shards.manifest import Manifest
from zfnet.data.shards.tar import read_label

_CHUNK = 1 << 16


class Sample(NamedTuple):
    """One picture as it comes out of a shard."""

    place: int  # in the data set
    name: str  # for messages
    jpeg: bytes
    label: int


class RemoteShards:
    """A prepared data set that is read as it comes.

    Parameters
    ----------
    shards : the manifest.json, on this machine or at an address, with its shards beside it; or the shards themselves in
        WebDataset's notation, such as "https://…/train-{000000..000640}.tar", or a list of them. Only the manifest
        can tell that a shard lacks its last pictures
    size : side S of the squares; None: the manifest's, or the shorter side of the first picture

    Raises
    ------
    ZfnetError
        There is no manifest at the address.
    """

    def __init__(self, shards: str | Path | Sequence[str], size: int | None = None):
        self.manifest: Manifest | None = None
        if str(shards).endswith(".json"):
            self.manifest = _manifest(str(shards))
            folder = str(shards).rpartition("/")[0] or "."
            self.addresses = [f"{folder}/{shard.file}" for shard in self.manifest.shards]
        else:
            self.addresses = _expanded(shards)
        self.size = size or (self.manifest.size if self.manifest else None)

    @property
    def classes(self) -> list[str] | None:
        """Id of each label, None without a manifest."""
        return self.manifest.classes if self.manifest else None

    def batches(self, batch: int, threads: int = 2, shuffle: int = 0, seed: int = 0, epoch: int = 0) -> Iterator[Batch]:
        """Read all pictures once, `batch` at a time, the last batch what is left.

        Parameters
        ----------
        threads : batches decoded at once
        shuffle : pictures in the buffer from which the next is drawn, the shards in random order as well; 0: the order
            of the shards
        seed, epoch : set the random order

        Yields
        ------
        Batch
            As `Shards(…).batches(range(N), batch)` gives them. Without a manifest, the indices of shuffled pictures
            count them as they were read.

        Raises
        ------
        ZfnetError
            A shard cannot be reached, breaks off or holds what is no picture.
        """
        random = Random(f"{seed} {epoch}")
        samples = self._samples(random if shuffle else None)
        if shuffle:
            samples = _shuffled(samples, shuffle, random)
        lots = iter(lambda: list(islice(samples, batch)), [])
        pool = ThreadPoolExecutor(threads, "decode")
        try:
            yield from in_order(pool, self._decode, lots, threads + 1)
        finally:
            pool.shutdown(cancel_futures=True)

    def _samples(self, random: Random | None) -> Iterator[Sample]:
        """All pictures, shard by shard; the shards in the order of `random`."""
        numbers = list(range(len(self.addresses)))
        if random:
            random.shuffle(numbers)
        firsts = list(accumulate((shard.images for shard in self.manifest.shards), initial=0)) if self.manifest else []
        read = 0
        for number in numbers:
            first = firsts[number] if firsts else read
            for place, content in enumerate(self._shard(number), first):
                read += 1
                yield self._sample(place, content, self.addresses[number])

    def _shard(self, number: int) -> Iterator[dict[str, Any]]:
        address, count = self.addresses[number], 0
        try:
            for content in _contents(address):
                count += 1
                yield content
        except (OSError, ValueError, tarfile.TarError) as error:
            raise ZfnetError(
                f"{address}: the shard breaks off after {count} pictures ({_reason(error)}); check the address and the "
                f"connection, or copy the shards to this machine."
            ) from None
        if self.manifest and count != (expected := self.manifest.shards[number].images):
            raise ZfnetError(
                f"{address}: the shard ends after {count} pictures, the manifest says {expected}; copy it to its place "
                f"again."
            )

    def _sample(self, place: int, content: dict[str, Any], address: str) -> Sample:
        name = f"{address}: {content['__key__']}"
        if not {"jpg", "cls"} <= content.keys():
            found = sorted(part for part in content if not part.startswith("__"))
            raise ZfnetError(
                f"{name}: expected a .jpg and a .cls, found {found}; the shard is cut, or not of pictures."
            )
        if self.size is None:
            self.size = min(simplejpeg.decode_jpeg_header(content["jpg"])[:2])
        return Sample(place, name, content["jpg"], read_label(content["cls"], name))

    def _decode(self, lot: list[Sample]) -> Batch:
        images = torch.empty(len(lot), self.size, self.size, 3, dtype=torch.uint8)
        square = self.manifest is not None and self.manifest.square
        for row, sample in zip(images.numpy(), lot, strict=True):
            try:
                decode_square(sample.jpeg, row, square)
            except ValueError as error:
                raise ZfnetError(f"{sample.name}.jpg cannot be decoded ({error}).") from None
        labels, places = torch.tensor([one.label for one in lot]), torch.tensor([one.place for one in lot])
        return Batch(images, labels, places)


def _expanded(shards: str | Path | Sequence[str]) -> list[str]:
    from webdataset.shardlists import expand_urls  # only here: the import of webdataset is slow

    given = [str(shards)] if isinstance(shards, str | Path) else shards
    return [address for pattern in given for address in expand_urls(pattern)]


def _shuffled(samples: Iterator[Sample], buffer: int, random: Random) -> Iterator[Sample]:
    from webdataset import shuffle

    return iter(shuffle(buffer, initial=buffer, rng=random)(samples))


def _manifest(address: str) -> Manifest:
    if ":" not in address:
        return Manifest.load(address)
    try:
        with _open(address) as file:
            return Manifest.model_validate_json(file.read())
    except (OSError, ValueError, ValidationError) as error:
        raise ZfnetError(f"{address}: no manifest can be read there ({_reason(error)}); check the address.") from None


def _open(address: str) -> Any:
    from webdataset.gopen import gopen

    return gopen(f"pipe:aws s3 cp {shlex.quote(address)} -" if address.startswith("s3://") else address)


def _contents(address: str) -> Iterator[dict[str, Any]]:
    """The members of each picture of one shard, by their suffixes."""
    from webdataset.tariterators import group_by_keys, tar_file_expander

    stream = _open(address)
    try:
        yield from group_by_keys(tar_file_expander([{"url": address, "stream": stream}]))
        while stream.read(_CHUNK):  # what follows the end, so that the command behind it can end well
            pass
        stream.close()  # an OSError where it did not
    except tarfile.TarError:
        if not stream.read(1):
            stream.close()  # the command's failure tells more than the tar's
        raise
    finally:
        with suppress(OSError):
            stream.close()


def _reason(error: Exception) -> str:
    """What went wrong, in few words: webdataset shows whole commands with their arguments."""
    if found := re.search(r"exit (-?\d+)", str(error)):
        return f"the command that reads it ended with exit code {found[1]}"
    return getattr(error, "strerror", None) or str(error.args[0] if error.args else error).splitlines()[0]
